"""What waits for one viewer: bounded, whatever the viewer does."""

from __future__ import annotations

import asyncio
from typing import Final

from markets.live.frames import Frame

LONGEST_QUEUE: Final = 1024  # frames; a viewer of one market who is further behind gets a fresh snapshot


class Mailbox:
    """Every frame of one market in order, from `seq` on. `overflowed` says that frames were dropped."""

    def __init__(self) -> None:
        self.seq = -1  # the newest frame that the viewer has
        self.frames: list[Frame] = []
        self.overflowed = False
        self.arrived = asyncio.Event()

    def put(self, frame: Frame) -> None:
        if len(self.frames) >= LONGEST_QUEUE:
            self.overflowed = True
            self.frames.clear()
        if not self.overflowed:
            self.frames.append(frame)
        self.arrived.set()

    async def take(self, patience: float) -> list[Frame]:
        """All that waits, after at most `patience` seconds; empty when nothing came."""
        try:
            async with asyncio.timeout(patience):
                await self.arrived.wait()
        except TimeoutError:
            return []
        self.arrived.clear()
        frames, self.frames = self._unseen(), []
        if frames:
            self.seq = frames[-1].seq
        return frames

    def _unseen(self) -> list[Frame]:
        return [frame for frame in self.frames if frame.seq > self.seq]


class LatestMailbox(Mailbox):
    """The newest frame of each market: a viewer of all markets who is slow misses steps, never the state."""

    def __init__(self) -> None:
        super().__init__()
        self.latest: dict[int, Frame] = {}

    def put(self, frame: Frame) -> None:
        self.latest[frame.market_id] = frame
        self.arrived.set()

    def _unseen(self) -> list[Frame]:
        frames, self.latest = list(self.latest.values()), {}
        return frames
