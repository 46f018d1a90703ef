"""API calls counted in Redis, per caller and minute. Without Redis every call is allowed."""

from datetime import datetime
from typing import Final

from django.conf import settings
from django.core.cache import cache

from markets.infra.redis import redis

WINDOW_SECONDS: Final = 60

_COUNT: Final = """
local calls = redis.call('INCR', KEYS[1])
if calls == 1 then redis.call('EXPIRE', KEYS[1], ARGV[1]) end
return calls
"""


async def count_call(caller: str, *, now: datetime) -> tuple[bool, dict[str, int]]:
    """Count a call; return whether it is within the limit, and the `RateLimit-*` headers."""
    limit: int = settings.API_RATE_LIMIT
    minute, second = divmod(int(now.timestamp()), WINDOW_SECONDS)
    key = cache.make_key(f"calls:{caller}:{minute}")
    calls = int(await redis.aask(lambda client: client.eval(_COUNT, 1, key, WINDOW_SECONDS), 1))
    return calls <= limit, {
        "RateLimit-Limit": limit,
        "RateLimit-Remaining": max(0, limit - calls),
        "RateLimit-Reset": WINDOW_SECONDS - second,
    }
