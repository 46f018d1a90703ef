"""A connection as the hub sees it: its bounded queue, and its end."""

from __future__ import annotations

import asyncio
import random
from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from typing import Final

from markets.live.frames import Frame

HEARTBEAT_SECONDS: Final = 13.0  # of silence; API.md promises 15
MOST_WRITE_SECONDS: Final = 20.0  # then a viewer who reads nothing is dropped
MOST_STREAM_SECONDS: Final = 3600.0  # up to a quarter less
RECONNECT_MS: Final = 1000  # after a stream that became too old


class Feed(ABC):
    """A viewer's subscription to a market, to all markets, or to the viewer's own news."""

    key: Hashable

    def __init__(self, viewer: Viewer) -> None:
        self.viewer = viewer
        self.opened = False  # the viewer has the first frames

    @abstractmethod
    async def open(self, after: str | None) -> list[Frame]:
        """Join the topic. Return the frames after `after`, or a snapshot.

        Raise NotFound; the caller then closes the feed.
        """

    @abstractmethod
    def close(self) -> None:
        """Leave the topic; may be repeated."""

    @abstractmethod
    async def take(self) -> list[Frame]:
        """Remove and return the waiting frames."""


class Viewer:
    """`drop` ends the connection without a goodbye."""

    def __init__(self, address: str, drop: Callable[[], None]) -> None:
        self.address = address
        self.drop = drop
        self.feeds: dict[Hashable, Feed] = {}
        self.queued: list[Frame] = []  # written before those of feeds
        self.ready: list[Feed] = []  # with frames to take
        self.holding = False  # in `all_or_nothing`
        self.woken = asyncio.Event()
        self.clock = asyncio.get_running_loop().time
        self.wrote_at = self.clock()
        self.writing_since: float | None = None
        self.ends_at = self.wrote_at + MOST_STREAM_SECONDS * random.uniform(0.75, 1)  # noqa: S311
        self.reconnect_ms: int | None = None  # set to end the connection

    async def follow(self, feed: Feed, after: str | None = None) -> None:
        """Add a feed, its first frames first. Raise NotFound."""
        try:
            first = await feed.open(after)
        except BaseException:
            feed.close()
            raise
        self.feeds[feed.key] = feed
        self.queue(first)
        feed.opened = True
        self.wake(feed)

    def unfollow(self, key: Hashable) -> None:
        if feed := self.feeds.pop(key, None):
            feed.close()

    def leave(self) -> None:
        """Close every feed, and break the reference cycles."""
        for key in list(self.feeds):
            self.unfollow(key)
        self.queued.clear()
        self.ready.clear()
        self.drop = lambda: None

    @contextmanager
    def all_or_nothing(self) -> Iterator[None]:
        """Write nothing inside the block; undo all of it if it fails."""
        queued, keys = len(self.queued), set(self.feeds)
        self.holding = True
        try:
            yield
        except BaseException:
            del self.queued[queued:]
            for key in set(self.feeds) - keys:
                self.unfollow(key)
            raise
        finally:
            self.holding = False
            self.woken.set()

    def queue(self, frames: list[Frame]) -> None:
        self.queued += frames
        self.woken.set()

    def wake(self, feed: Feed) -> None:
        self.ready.append(feed)
        self.woken.set()

    async def next(self) -> list[Frame]:
        """Wait for frames to write; none for a heartbeat or the end."""
        await self.woken.wait()
        self.woken.clear()
        if self.holding:
            return []
        frames, self.queued = self.queued, []
        ready, self.ready = self.ready, []
        for feed in ready:
            if self.feeds.get(feed.key) is feed:
                frames += await feed.take()
        return frames

    def end(self, within_ms: int) -> None:
        """End after the current write. The viewer reconnects at random in `within_ms`."""
        if self.reconnect_ms is None:
            self.reconnect_ms = random.randint(1, within_ms)  # noqa: S311
            self.woken.set()

    def tick(self, now: float) -> None:
        """Drop, end or send a heartbeat if it is time; called each second."""
        if self.writing_since is not None:
            if now - self.writing_since > MOST_WRITE_SECONDS:
                self.drop()
        elif now > self.ends_at:
            self.end(RECONNECT_MS)
        elif now - self.wrote_at > HEARTBEAT_SECONDS:
            self.woken.set()
