"""How often one key may call: a fixed window of a minute, counted in Redis. Without Redis nobody is held back."""

from datetime import datetime
from typing import Final

from django.conf import settings
from django.core.cache import cache

from markets.infra.redis import redis

WINDOW: Final = 60  # seconds

_COUNT: Final = """
local calls = redis.call('INCR', KEYS[1])
if calls == 1 then redis.call('EXPIRE', KEYS[1], ARGV[1]) end
return calls
"""


async def count_call(caller: str, *, now: datetime) -> tuple[bool, dict[str, int]]:
    """Count a call; gives whether it is within the limit, and the `RateLimit-*` headers."""
    limit: int = settings.API_RATE_LIMIT
    second = int(now.timestamp())
    key = cache.make_key(f"calls:{caller}:{second // WINDOW}")
    calls = int(await redis.aask(lambda client: client.eval(_COUNT, 1, key, WINDOW), 1))
    facts = {"Limit": limit, "Remaining": max(0, limit - calls), "Reset": WINDOW - second % WINDOW}
    return calls <= limit, {f"RateLimit-{name}": value for name, value in facts.items()}
