"""Public markets in Redis, through django-redis, for 300 s or until an event overtakes them.

The key `market:{id}` holds `<seq>\\n<JSON>`. Storing compares `seq` inside Redis, so a reader that was slow can never put an
old state over a newer one: the race of cache-aside. An event leaves its `seq` with an empty body, a floor that the next
reader fills. Without Redis every read is answered from PostgreSQL, and the log says so once.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from typing import Any, Final, TypeVar

import structlog
from django.core.cache import cache
from django_redis import get_redis_connection
from redis import RedisError
from redis.commands.core import Script

from markets.errors import NotFound
from markets.selectors import markets

T = TypeVar("T")
logger = structlog.get_logger("bellwether.cache")

TTL: Final = 300  # seconds
MISSING_TTL: Final = 10  # seconds that an unknown id is remembered
RETRY_AFTER: Final = 1.0  # seconds without asking a Redis that did not answer

_HIDDEN: Final = b"-"  # the body of what the public may not see or what is not there
_STORE_IF_NEWER: Final = """
local held = redis.call('GET', KEYS[1])
if held and tonumber(string.match(held, '^%d+')) > tonumber(ARGV[1]) then return 0 end
redis.call('SET', KEYS[1], ARGV[1] .. '\\n' .. ARGV[2], 'EX', ARGV[3])
return 1
"""


_store: Final = Script(None, _STORE_IF_NEWER.encode())  # type: ignore[arg-type]  # each call names its client


class Redis:
    """The cache's server, treated as absent for a moment whenever it does not answer."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._down_until = 0.0
        self._down = False

    def ask(self, work: Callable[[Any], T], otherwise: T) -> T:
        """The result of `work(client)`, or `otherwise` while Redis is away. The log has one line per outage."""
        if time.monotonic() < self._down_until:
            return otherwise
        try:
            result = work(get_redis_connection("default"))
        except (RedisError, OSError) as error:
            self._note(down=True, error=repr(error))
            return otherwise
        if self._down:
            self._note(down=False)
        return result

    def _note(self, *, down: bool, **facts: str) -> None:
        with self._lock:
            self._down_until = time.monotonic() + RETRY_AFTER if down else 0.0
            changed, self._down = self._down != down, down
        if changed and down:
            logger.warning("cache_unavailable", **facts)
        elif changed:
            logger.info("cache_available")


redis = Redis()


def _key(market_id: int) -> str:
    return str(cache.make_key(f"market:{market_id}"))


def read_market(market_id: int) -> bytes:
    """The public market as JSON; NotFound for a draft or an unknown id. A hit costs one Redis call and no SQL."""
    held: bytes | None = redis.ask(lambda client: client.get(_key(market_id)), None)
    body = held.split(b"\n", 1)[1] if held else b""
    if not body:
        seq, body, ttl = _load(market_id)
        store_market(market_id, seq, body, ttl=ttl)
    if body == _HIDDEN:
        raise NotFound("market", market_id)
    return body


def _load(market_id: int) -> tuple[int, bytes, int]:
    """The market's `seq`, its body, and the seconds to keep it, from the database."""
    try:
        market = markets.get(market_id)
    except NotFound:
        return markets.heads([market_id]).get(market_id, 0), _HIDDEN, MISSING_TTL
    return market.seq, encode(markets.present(market)), TTL


def encode(value: object) -> bytes:
    """JSON as the API sends it: compact, UTF-8."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def store_market(market_id: int, seq: int, body: bytes, *, ttl: int = TTL) -> bool:
    """Keep `body` as the market's state at `seq`, unless Redis holds a newer one; says whether it was kept."""
    return bool(redis.ask(lambda client: _store(keys=[_key(market_id)], args=[seq, body, ttl], client=client), 0))


def overtake(market_id: int, seq: int) -> None:
    """An event happened: whatever is held from before `seq` is out of date."""
    store_market(market_id, seq, b"")
