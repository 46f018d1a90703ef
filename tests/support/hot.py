"""What tests of the answers from memory share."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from markets.models import Market
from markets.web.hot.memory import memory


def url(market: Market) -> str:
    return f"/api/v1/markets/{market.pk}"


@asynccontextmanager
async def answers_from_memory() -> AsyncIterator[list[int]]:
    """How many answers came from memory within this block."""
    before, count = memory.hits, []
    yield count
    count.append(memory.hits - before)
