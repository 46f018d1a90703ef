"""Public answers in Redis, through django-redis: the tier that all processes share. Nothing here outlives an event.

The key `market:{id}` holds `<seq>\\n<JSON>`. Storing compares `seq` inside Redis, so a reader that was slow can never put an
old state over a newer one: the race of cache-aside. An event leaves its `seq` with an empty body, a floor that the next
reader fills. Other answers (lists, counts, history) are kept with the stamp of what they speak of: a market, or all of them.
An event makes a new stamp, so what was begun before it is never served. Of all who miss at once, one reads the database.

Without Redis every read is answered from PostgreSQL, and the log says so once. When it is back, it is told what it missed.
"""

from __future__ import annotations

import json
import random
import secrets
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from hashlib import blake2b
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

TTL: Final = 300  # seconds, less up to a tenth: what was filled together does not expire together
MISSING_TTL: Final = 10  # seconds that an unknown id is remembered
ANSWER_TTL: Final = 15  # seconds; what moves with the clock and not with an event may be so old
LARGEST: Final = 2 * 1024 * 1024  # bytes of an answer that is kept
ALONE: Final = 1.0  # seconds that one reader may take to fill what others wait for

EVERY: Final = 0  # stands for "any market" where an answer names the market that it speaks of
SHELVES: Final = -1  # stands for what no trade changes: which markets there are, and where
_HIDDEN: Final = b"-"  # the body of what the public may not see or what is not there
_STAMP: Final = 16  # characters

_STORE_IF_NEWER: Final = """
for i = 2, #KEYS do redis.call('SET', KEYS[i], ARGV[4], 'EX', ARGV[3]) end
local held = redis.call('GET', KEYS[1])
if held and tonumber(string.match(held, '^%d+')) > tonumber(ARGV[1]) then return 0 end
redis.call('SET', KEYS[1], ARGV[1] .. '\\n' .. ARGV[2], 'EX', ARGV[3])
return 1
"""
_store: Final = Script(None, _STORE_IF_NEWER.encode())  # type: ignore[arg-type]  # each call names its client


def _key(name: str) -> str:
    return str(cache.make_key(name))


async def aread_market(market_id: int) -> bytes:
    """As `read_market`; a hit costs no thread."""
    held = await redis.aask(lambda client: client.get(_key(f"market:{market_id}")), None)
    return _shown(market_id, _body(held)) if _body(held) else await in_thread(read_market, market_id)


def read_market(market_id: int) -> bytes:
    """The public market as JSON; NotFound for a draft or an unknown id. A hit costs one Redis call and no SQL."""
    name = f"market:{market_id}"

    def look() -> bytes:
        return _body(redis.ask(lambda client: client.get(_key(name)), None))

    def make() -> bytes:
        seq, body, ttl = _load(market_id)
        store_market(market_id, seq, body, ttl=ttl)
        return body

    return _shown(market_id, look() or _one_makes(name, look, make))


def _body(held: bytes | None) -> bytes:
    """What stands behind the `seq`; empty when nothing is held, or only a floor."""
    return held.split(b"\n", 1)[1] if held else b""


def _shown(market_id: int, body: bytes) -> bytes:
    if body == _HIDDEN:
        raise NotFound("market", market_id)
    return body


def _load(market_id: int) -> tuple[int, bytes, int]:
    """The market's `seq`, its body, and the seconds to keep it, from the database.

    `seq` is read first: what is found missing at that `seq` is not believed any more once the market has moved on.
    """
    seq = markets.heads([market_id]).get(market_id)
    try:
        market = markets.get(market_id) if seq is not None else None
    except NotFound:
        market = None
    return (market.seq, encode(present_market(market)), TTL) if market else (seq or 0, _HIDDEN, MISSING_TTL)


def encode(value: object) -> bytes:
    """JSON as the API sends it: compact, UTF-8."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def store_market(market_id: int, seq: int, body: bytes, *, ttl: int = TTL) -> bool:
    """Keep `body` as the market's state at `seq`, unless Redis holds a newer one; says whether it was kept."""
    keys: list[str] = [_key(f"market:{market_id}")]
    args: list[int | bytes] = [seq, body, _spread(ttl)]
    return bool(redis.ask(lambda client: _store(keys=keys, args=args, client=client), 0))


def moved_by(message: Mapping[str, Any]) -> list[int]:
    """What an event (`present_event`) puts out of date: answers about its market, and about these."""
    return [message["market_id"], EVERY] if message["type"] == EventType.TRADE else [message["market_id"], EVERY, SHELVES]


def overtake(market_id: int, seq: int, moved: Iterable[int] = (EVERY, SHELVES)) -> None:
    """An event happened: whatever is held from before `seq` is out of date. Redis is told later if it does not hear now."""
    if redis.ask(lambda client: _overtake(client, market_id, seq, moved), None) is None:
        with _missing:
            _missed[market_id] = max(seq, _missed.get(market_id, 0))
        if not redis.away:  # it came back just now
            redis.ask(lambda _: _catch_up(), None)


def _overtake(client: Any, market_id: int, seq: int, moved: Iterable[int]) -> int:
    keys = [_key(f"market:{market_id}"), *(_key(f"stamp:{about}") for about in {market_id, *moved})]
    return int(_store(keys=keys, args=[seq, b"", TTL, secrets.token_hex(_STAMP // 2)], client=client))


def _catch_up() -> None:
    """Tell Redis of the events that it missed. Raises RedisError."""
    while _missed:
        with _missing:
            market_id, seq = _missed.popitem()
        try:
            _overtake(get_redis_connection("default"), market_id, seq, (EVERY, SHELVES))
        except (RedisError, OSError):
            with _missing:
                _missed[market_id] = max(seq, _missed.get(market_id, 0))
            raise


_missed: Final[dict[int, int]] = {}  # by market, the `seq` of the last event that Redis was not told of
_missing: Final = Lock()
redis.returning.append(_catch_up)


async def aread(about: int, name: str, make: Callable[[], bytes]) -> bytes:
    """The public answer called `name`, which speaks of market `about` (or EVERY), from Redis or made now in a thread."""
    keys = _answer_keys(about, name)
    held = await redis.aask(lambda client: client.mget(keys), (None, None))
    return _stamped(*held) or await in_thread(_read, about, name, make)


def _read(about: int, name: str, make: Callable[[], bytes]) -> bytes:
    keys = stamp_key, key = _answer_keys(about, name)

    def look() -> bytes:
        return _stamped(*redis.ask(lambda client: client.mget(keys), (None, None)))

    def stamp_now(client: Any) -> bytes:
        client.set(stamp_key, secrets.token_hex(_STAMP // 2), ex=TTL, nx=True)
        return client.get(stamp_key) or b""

    def store() -> bytes:
        if about > 0:
            read_market(about)  # what is not there leaves no stamp
        stamp = redis.ask(stamp_now, b"")
        body = make()
        if stamp and len(body) <= LARGEST:
            redis.ask(lambda client: client.set(key, stamp + body, ex=_spread(ANSWER_TTL)), None)
        return body

    return _one_makes(name, look, store)


def _answer_keys(about: int, name: str) -> tuple[str, str]:
    """Where the stamp is and where the answer."""
    return _key(f"stamp:{about}"), _key(f"answer:{blake2b(name.encode(), digest_size=16).hexdigest()}")


def _stamped(stamp: bytes | None, held: bytes | None) -> bytes:
    """The answer, if it was begun under this stamp; otherwise empty."""
    return held[_STAMP:] if stamp and held and held[:_STAMP] == stamp else b""


def _one_makes(name: str, look: Callable[[], bytes], make: Callable[[], bytes]) -> bytes:
    """What `make` gives, while everybody else who wants it waits and then finds it by `look`."""
    deadline = time.monotonic() + ALONE
    while time.monotonic() < deadline:
        with _alone(name) as alone:
            if alone:
                return look() or make()
        time.sleep(0.01)
        if found := look():
            return found
    return make()


@contextmanager
def _alone(name: str) -> Iterator[bool]:
    """Whether nobody else, in any process, is here under this name. Without Redis everybody is alone."""
    key, begun = _key(f"alone:{name}"), time.monotonic()
    alone = bool(redis.ask(lambda client: client.set(key, b"1", nx=True, px=int(ALONE * 1000)), 1))
    try:
        yield alone
    finally:
        if alone and time.monotonic() - begun < ALONE:  # later it may be another's
            redis.ask(lambda client: client.delete(key), None)


def _spread(ttl: int) -> int:
    return max(1, int(ttl * random.uniform(0.9, 1)))  # noqa: S311
