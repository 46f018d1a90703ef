"""Keeps a market whose row is locked from holding up everybody else."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from markets.domain.errors import Busy

AT_ONCE: Final = 3  # threads that one market may occupy; its lock lets one trade anyway
WAIT_SECONDS: Final = 3.0


class Turnstile:
    """Lets a few callers at a time through for each market, so that the threads of a process stay free for other work."""

    def __init__(self) -> None:
        self._gates: dict[int, asyncio.Semaphore] = {}
        self._users: dict[int, int] = {}  # callers inside or waiting, by market

    @asynccontextmanager
    async def passing(self, market_id: int) -> AsyncIterator[None]:
        """Wait until it is the caller's turn at this market. Raise Busy after WAIT_SECONDS."""
        gate = self._gates.setdefault(market_id, asyncio.Semaphore(AT_ONCE))
        self._users[market_id] = self._users.get(market_id, 0) + 1
        try:
            try:
                async with asyncio.timeout(WAIT_SECONDS):
                    await gate.acquire()
            except TimeoutError:
                raise Busy from None
            try:
                yield
            finally:
                gate.release()
        finally:
            self._users[market_id] -= 1
            if not self._users[market_id]:
                del self._users[market_id], self._gates[market_id]
