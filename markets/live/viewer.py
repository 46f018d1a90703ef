"""One connection, as the hub sees it: what waits for it, bounded whatever it does, and when it is to end."""

from __future__ import annotations

import asyncio
import random
from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from typing import Final

from markets.live.frames import Frame

HEARTBEAT_AFTER: Final = 13.0  # seconds of silence; API.md promises 15
LONGEST_WRITE: Final = 20.0  # seconds; a viewer who takes nothing for so long is dropped
LONGEST_STREAM: Final = 3600.0  # seconds; then the viewer is told to resume (three quarters of it at the least, to spread)
COME_BACK: Final = 1000  # ms within which a viewer returns whose stream has become too old


class Feed(ABC):
    """What one viewer follows: a market, all of them, or what is their own."""

    key: Hashable

    def __init__(self, viewer: Viewer) -> None:
        self.viewer = viewer
        self.opened = False  # its first frames are on their way, so later ones may follow

    @abstractmethod
    async def open(self, after: str | None) -> list[Frame]:
        """Join the topic. Gives the frames to begin with: those after position `after`, or a snapshot. Raises NotFound."""

    @abstractmethod
    def close(self) -> None:
        """Leave the topic."""

    @abstractmethod
    def waits(self) -> bool:
        """Whether there is something to take."""

    @abstractmethod
    async def take(self) -> list[Frame]:
        """What waits, in order; it is forgotten here."""


class Viewer:
    """`drop` ends the connection without a word: it is called for viewers who stopped reading."""

    def __init__(self, address: str, drop: Callable[[], None]) -> None:
        self.address = address
        self.drop = drop
        self.feeds: dict[Hashable, Feed] = {}
        self.said: list[Frame] = []  # first frames and answers: before anything of the feeds
        self.ready: list[Feed] = []  # those with something to take
        self.holding = (
            False  # nothing is written while an answer of several parts is being put together
        )
        self.arrived = asyncio.Event()
        self.clock = asyncio.get_running_loop().time
        self.wrote_at = self.clock()
        self.writing_since: float | None = None
        self.ends_at = self.wrote_at + LONGEST_STREAM * random.uniform(0.75, 1)  # noqa: S311
        self.return_ms: int | None = (
            None  # set when it is to end, and then says when it should come back
        )

    async def follow(self, feed: Feed, after: str | None = None) -> None:
        """Add a feed; its first frames come before all later ones. Raises NotFound."""
        first = await feed.open(after)
        self.feeds[feed.key] = feed
        self.say(first)
        feed.opened = True
        if feed.waits():
            self.call(feed)

    def unfollow(self, key: Hashable) -> None:
        if feed := self.feeds.pop(key, None):
            feed.close()

    def leave(self) -> None:
        """Close every feed, and let go of the rest: what refers to each other would wait for the garbage collector."""
        for key in list(self.feeds):
            self.unfollow(key)
        self.said.clear()
        self.ready.clear()
        self.drop = _nothing

    @contextmanager
    def held(self) -> Iterator[None]:
        """Nothing is written meanwhile; if it fails, nothing that was said or followed in it remains."""
        said, known = len(self.said), set(self.feeds)
        self.holding = True
        try:
            yield
        except BaseException:
            del self.said[said:]
            for key in set(self.feeds) - known:
                self.unfollow(key)
            raise
        finally:
            self.holding = False
            self.arrived.set()

    def say(self, frames: list[Frame]) -> None:
        self.said += frames
        self.arrived.set()

    def call(self, feed: Feed) -> None:
        """A feed that was empty has something."""
        self.ready.append(feed)
        self.arrived.set()

    async def next(self) -> list[Frame]:
        """Waits for something to write. Nothing in it means a heartbeat, or the end (`return_ms`)."""
        await self.arrived.wait()
        self.arrived.clear()
        if self.holding:
            return []
        frames, self.said = self.said, []
        ready, self.ready = self.ready, []
        for feed in ready:
            if self.feeds.get(feed.key) is feed:
                frames += await feed.take()
        return frames

    def part(self, within_ms: int) -> None:
        """End after what is being written, and ask the viewer to come back at some time within so many milliseconds."""
        if self.return_ms is None:
            self.return_ms = random.randint(1, within_ms)  # noqa: S311
            self.arrived.set()

    def tick(self, now: float) -> None:
        """Called every second or so."""
        if self.writing_since is not None:
            if now - self.writing_since > LONGEST_WRITE:
                self.drop()
        elif now > self.ends_at:
            self.part(COME_BACK)
        elif now - self.wrote_at > HEARTBEAT_AFTER:
            self.arrived.set()


def _nothing() -> None:
    """What is gone cannot be dropped."""
