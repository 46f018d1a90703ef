"""Public markets in Redis, shared by all processes, and invalidated by every event.

The key `market:{id}` holds `<seq>\\n<JSON>`. Redis compares `seq` before it stores, so a slow
reader cannot put an old state over a newer one: the race of cache-aside. An event stores its `seq`
with an empty body; of the readers who miss at once, a lock lets one fill it (single flight).

Without Redis, PostgreSQL answers. A Redis that comes back is told of the events that it missed.
"""

import json
import random
import time
from collections.abc import Mapping
from contextlib import suppress
from threading import Lock
from typing import Any, Final

from django.core.cache import cache
from django_redis import get_redis_connection
from redis import RedisError
from redis.commands.core import Script

from markets.domain.errors import NotFound
from markets.domain.event_types import TALK, EventType
from markets.infra.redis import redis
from markets.infra.threads import in_thread
from markets.presenters.market import present_market
from markets.selectors import markets

TTL_SECONDS: Final = 300  # up to a tenth less, so that entries do not all expire together
MISSING_TTL_SECONDS: Final = 10  # of an unknown id
FLIGHT_SECONDS: Final = 1.0  # the longest that readers wait for the one who fills the cache

# What an answer is about, if not about one market id:
ALL_MARKETS: Final = 0
CATALOGUE: Final = -1  # names and places of markets, which no trade changes

_HIDDEN: Final = b"-"  # the body of a market that is not public or does not exist

_STORE_IF_NEWER: Final = """
local held = redis.call('GET', KEYS[1])
if held and tonumber(string.match(held, '^%d+')) > tonumber(ARGV[1]) then return 0 end
redis.call('SET', KEYS[1], ARGV[1] .. '\\n' .. ARGV[2], 'EX', ARGV[3])
return 1
"""
_store: Final = Script(None, _STORE_IF_NEWER.encode())  # type: ignore[arg-type]  # each call names its client


def encode(value: object) -> bytes:
    """Return JSON as the API sends it: compact, UTF-8."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def _key(name: str) -> str:
    return str(cache.make_key(name))


async def aread_market(market_id: int) -> bytes:
    """Do as `read_market`; a hit costs no thread."""
    key = _key(f"market:{market_id}")
    body = _body(await redis.aask(lambda client: client.get(key), None))
    return _public(market_id, body) if body else await in_thread(read_market, market_id)


def read_market(market_id: int) -> bytes:
    """Return the public market as JSON; a hit costs one Redis call. Raise NotFound."""
    return _public(market_id, _look(market_id) or _fill_once(market_id))


def _look(market_id: int) -> bytes:
    key = _key(f"market:{market_id}")
    return _body(redis.ask(lambda client: client.get(key), None))


def _body(held: bytes | None) -> bytes:
    """Return the body, empty if Redis holds none or only a `seq`."""
    return held.split(b"\n", 1)[1] if held else b""


def _public(market_id: int, body: bytes) -> bytes:
    if body == _HIDDEN:
        raise NotFound("market", market_id)
    return body


def _load(market_id: int) -> tuple[int, bytes, int]:
    """Return the market's `seq`, body and TTL in seconds from the database."""
    # read first, so that a later event invalidates _HIDDEN
    seq = markets.heads([market_id]).get(market_id)
    if seq is not None:
        with suppress(NotFound):
            market = markets.get(market_id)
            return market.seq, encode(present_market(market)), TTL_SECONDS
    return seq or 0, _HIDDEN, MISSING_TTL_SECONDS


def _fill_once(market_id: int) -> bytes:
    """Return the body: the reader with the lock asks the database, after FLIGHT_SECONDS anyone."""
    lock, milliseconds = _key(f"flight:market:{market_id}"), int(FLIGHT_SECONDS * 1000)
    deadline = time.monotonic() + FLIGHT_SECONDS
    while (started := time.monotonic()) < deadline:
        if redis.ask(lambda client: client.set(lock, b"1", nx=True, px=milliseconds), True):
            try:
                return _look(market_id) or _fill(market_id)
            finally:
                if time.monotonic() - started < FLIGHT_SECONDS:  # else the lock may be another's
                    redis.ask(lambda client: client.delete(lock), None)
        time.sleep(0.01)
        if found := _look(market_id):
            return found
    return _fill(market_id)


def _fill(market_id: int) -> bytes:
    seq, body, ttl = _load(market_id)
    store_market(market_id, seq, body, ttl=ttl)
    return body


def store_market(market_id: int, seq: int, body: bytes, *, ttl: int = TTL_SECONDS) -> bool:
    """Store the body unless Redis holds a newer one; return whether stored."""
    return bool(redis.ask(lambda client: _put(client, market_id, seq, body, ttl), 0))


def _put(client: Any, market_id: int, seq: int, body: bytes, ttl: int = TTL_SECONDS) -> int:
    lifetime = max(1, int(ttl * random.uniform(0.9, 1)))  # noqa: S311
    key = _key(f"market:{market_id}")
    return int(_store(keys=[key], args=[seq, body, lifetime], client=client))


_MOVES_NO_SHELF: Final = TALK | {EventType.TRADE}


def outdated_by(message: Mapping[str, Any]) -> list[int]:
    """Return the subjects whose answers an event makes outdated."""
    about = [message["market_id"], ALL_MARKETS]
    return about if message["type"] in _MOVES_NO_SHELF else [*about, CATALOGUE]


def invalidate(market_id: int, seq: int) -> None:
    """Invalidate what is older than event `seq`; later, if Redis is down."""
    if redis.ask(lambda client: _put(client, market_id, seq, b""), None) is None:
        _remember(market_id, seq)
        if not redis.away:  # Redis has just come back
            redis.ask(lambda _: _catch_up(), None)


def _catch_up() -> None:
    """Tell Redis of the events that it missed. Raise RedisError or OSError."""
    while _missed:
        with _missed_lock:
            market_id, seq = _missed.popitem()
        try:
            _put(get_redis_connection("default"), market_id, seq, b"")
        except (RedisError, OSError):
            _remember(market_id, seq)
            raise


def _remember(market_id: int, seq: int) -> None:
    with _missed_lock:
        _missed[market_id] = max(seq, _missed.get(market_id, 0))


_missed: Final[dict[int, int]] = {}  # the newest `seq` that Redis missed, by market id
_missed_lock: Final = Lock()
redis.returning.append(_catch_up)
