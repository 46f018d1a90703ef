"""Public markets in Redis, through django-redis: the tier that all processes share. Nothing here outlives an event.

The key `market:{id}` holds `<seq>\\n<JSON>`. Storing compares `seq` inside Redis, so a slow reader can never put an old state
over a newer one: the race of cache-aside. An event leaves its `seq` with an empty body, a floor that the next reader fills.
Of all readers who miss at once, one reads the database: a single-flight lock in Redis.

Without Redis every read is answered from PostgreSQL, and the log says so once. When it is back, it is told what it missed.
"""

import json
import random
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from threading import Lock
from typing import Any, Final

from django.core.cache import cache
from django_redis import get_redis_connection
from redis import RedisError
from redis.commands.core import Script

from markets.domain.errors import NotFound
from markets.domain.event_types import EventType
from markets.infra.redis import redis
from markets.infra.threads import in_thread
from markets.presenters.market import present_market
from markets.selectors import markets

TTL_SECONDS: Final = 300  # less up to a tenth: what was filled together does not expire together
MISSING_TTL_SECONDS: Final = 10  # that an unknown id is remembered
FLIGHT_SECONDS: Final = 1.0  # that one reader may take to fill what others wait for

EVERY: Final = 0  # stands for "any market" where an answer names the market that it speaks of
SHELVES: Final = -1  # stands for what no trade changes: which markets there are, and where
_HIDDEN: Final = b"-"  # the body of a market that the public may not see, or that does not exist

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
    """Return what `read_market` does; a hit costs no thread."""
    held = await redis.aask(lambda client: client.get(_key(f"market:{market_id}")), None)
    return (
        _shown(market_id, _body(held)) if _body(held) else await in_thread(read_market, market_id)
    )


def read_market(market_id: int) -> bytes:
    """Return the public market as JSON. A hit costs one Redis call and no SQL. Raise NotFound for a draft or an unknown id."""
    name = f"market:{market_id}"

    def look() -> bytes:
        return _body(redis.ask(lambda client: client.get(_key(name)), None))

    def load() -> bytes:
        seq, body, ttl = _load(market_id)
        store_market(market_id, seq, body, ttl=ttl)
        return body

    return _shown(market_id, look() or _fly(name, look, load))


def _body(held: bytes | None) -> bytes:
    """Return what stands behind the `seq`; empty when nothing is held, or only a floor."""
    return held.split(b"\n", 1)[1] if held else b""


def _shown(market_id: int, body: bytes) -> bytes:
    if body == _HIDDEN:
        raise NotFound("market", market_id)
    return body


def _load(market_id: int) -> tuple[int, bytes, int]:
    """Return the market's `seq`, its body, and the seconds to keep it, from the database.

    `seq` is read first: what is found missing at that `seq` is not believed any more once the market has a newer event.
    """
    seq = markets.heads([market_id]).get(market_id)
    try:
        market = markets.get(market_id) if seq is not None else None
    except NotFound:
        market = None
    if market is None:
        return seq or 0, _HIDDEN, MISSING_TTL_SECONDS
    return market.seq, encode(present_market(market)), TTL_SECONDS


def store_market(market_id: int, seq: int, body: bytes, *, ttl: int = TTL_SECONDS) -> bool:
    """Keep `body` as the market's state at `seq`, unless Redis holds a newer one; return whether it was kept."""
    return bool(redis.ask(lambda client: _put(client, market_id, seq, body, ttl), 0))


def _put(client: Any, market_id: int, seq: int, body: bytes, ttl: int) -> int:
    lifetime = max(1, int(ttl * random.uniform(0.9, 1)))  # noqa: S311
    return int(
        _store(keys=[_key(f"market:{market_id}")], args=[seq, body, lifetime], client=client)
    )


def outdated_by(message: Mapping[str, Any]) -> list[int]:
    """Return what answers speak of that an event (`present_event`) puts out of date: its market, and these."""
    trade = message["type"] == EventType.TRADE
    return [message["market_id"], EVERY] if trade else [message["market_id"], EVERY, SHELVES]


def invalidate(market_id: int, seq: int) -> None:
    """Put what is held from before the event `seq` out of date. Redis is told later if it does not hear now."""
    if redis.ask(lambda client: _put(client, market_id, seq, b"", TTL_SECONDS), None) is None:
        _remember(market_id, seq)
        if not redis.away:  # it came back just now
            redis.ask(lambda _: _catch_up(), None)


def _catch_up() -> None:
    """Tell Redis of the events that it missed. Raise RedisError."""
    while _missed:
        with _missing:
            market_id, seq = _missed.popitem()
        try:
            _put(get_redis_connection("default"), market_id, seq, b"", TTL_SECONDS)
        except (RedisError, OSError):
            _remember(market_id, seq)
            raise


def _remember(market_id: int, seq: int) -> None:
    with _missing:
        _missed[market_id] = max(seq, _missed.get(market_id, 0))


_missed: Final[
    dict[int, int]
] = {}  # by market, the `seq` of the last event that Redis was not told of
_missing: Final = Lock()
redis.returning.append(_catch_up)


def _fly(name: str, look: Callable[[], bytes], load: Callable[[], bytes]) -> bytes:
    """Return what `load` gives, while all others who want it wait and then find it by `look`."""
    deadline = time.monotonic() + FLIGHT_SECONDS
    while time.monotonic() < deadline:
        with _flight(name) as mine:
            if mine:
                return look() or load()
        time.sleep(0.01)
        if found := look():
            return found
    return load()


@contextmanager
def _flight(name: str) -> Iterator[bool]:
    """Give whether this reader holds the single-flight lock of this name. Without Redis every reader does."""
    key, begun = _key(f"flight:{name}"), time.monotonic()
    mine = bool(
        redis.ask(lambda client: client.set(key, b"1", nx=True, px=int(FLIGHT_SECONDS * 1000)), 1)
    )
    try:
        yield mine
    finally:
        if mine and time.monotonic() - begun < FLIGHT_SECONDS:  # later the lock may be another's
            redis.ask(lambda client: client.delete(key), None)
