"""Keeps one market whose row is locked from occupying all threads."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final
from weakref import WeakValueDictionary

from markets.domain.errors import Busy

MAX_CALLERS: Final = 3  # threads that one market may occupy; its row lock admits one trade anyway
WAIT_SECONDS: Final = 3.0


class Turnstile:
    """Admits MAX_CALLERS at a time for each market."""

    def __init__(self) -> None:
        # by market; a gate lives as long as a caller is inside or waiting
        self._gates = WeakValueDictionary[int, asyncio.Semaphore]()

    @asynccontextmanager
    async def passing(self, market_id: int) -> AsyncIterator[None]:
        """Run the block when the market has a free place. Raise Busy after WAIT_SECONDS."""
        gate = self._gates.setdefault(market_id, asyncio.Semaphore(MAX_CALLERS))
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                await gate.acquire()
        except TimeoutError:
            raise Busy from None
        try:
            yield
        finally:
            gate.release()
