"""The viewers of all markets: the latest state of each, at most five times a second."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from markets.infra.threads import in_thread
from markets.live.frames import Frame, event_frame, lobby_frame
from markets.live.viewer import Feed, Viewer
from markets.presenters.event import present_event
from markets.selectors import history, markets

PAUSE: Final = 0.2  # seconds between two rounds
OVERLAP: Final = timedelta(seconds=15)  # how far back a check looks
SNAPSHOT_SIZE: Final = 500  # markets
SNAPSHOT_FOR: Final = 1.0  # seconds that viewers who come together share one


class Snapshot(NamedTuple):
    frame: Frame
    seqs: dict[int, int]  # by market


class Lobby:
    """Collects what is heard and tells it in rounds, so that a burst costs each viewer one write."""

    def __init__(self) -> None:
        self.feeds: set[LobbyFeed] = set()
        self._reset()

    def _reset(self) -> None:
        self.seqs: dict[int, int] = {}  # the newest event of each market that was heard
        self.news: dict[int, Frame] = {}  # heard since the last round
        self.told_at = 0.0  # loop time of the last round
        self.round: asyncio.TimerHandle | None = None
        self.reading: asyncio.Task[Snapshot] | None = None  # of the snapshot that viewers share
        self.read_at = 0.0  # when that began
        self.since: dict[int, Frame] = {}  # heard since

    def hear(self, frame: Frame) -> None:
        if not self.feeds or frame.seq <= self.seqs.get(frame.market_id, -1):
            return
        self.seqs[frame.market_id] = frame.seq
        self.news[frame.market_id] = frame
        loop = asyncio.get_running_loop()
        if loop.time() < self.read_at + SNAPSHOT_FOR:
            self.since[frame.market_id] = frame
        if self.round is None:
            self.round = loop.call_later(max(0, self.told_at + PAUSE - loop.time()), self._tell)

    def _tell(self) -> None:
        self.round = None
        self.told_at = asyncio.get_running_loop().time()
        news, self.news = self.news, {}
        for feed in self.feeds:
            feed.put(news)

    async def join(self, feed: LobbyFeed) -> Snapshot:
        """Gives where to begin. The feed is filled from before that on, and with what the shared snapshot is too old for."""
        self.feeds.add(feed)
        now = asyncio.get_running_loop().time()
        if (
            self.reading is None
            or now >= self.read_at + SNAPSHOT_FOR
            or (self.reading.done() and self.reading.exception())
        ):
            self.read_at, self.since = now, {}
            self.reading = asyncio.create_task(in_thread(_snapshot))
        since = self.since
        snapshot = await asyncio.shield(self.reading)
        feed.known = snapshot.seqs
        feed.known_until = now + 2 * OVERLAP.total_seconds()
        feed.put(since)
        return snapshot

    def leave(self, feed: LobbyFeed) -> None:
        self.feeds.discard(feed)
        if not self.feeds:
            if self.round is not None:
                self.round.cancel()
            self._reset()

    async def check(self, now: datetime) -> None:
        """Ask the database whether anything was missed."""
        if not self.feeds:
            return
        for event in await in_thread(history.newest_since, now - OVERLAP):
            self.hear(event_frame(present_event(event)))
        clock = asyncio.get_running_loop().time()
        for feed in self.feeds:
            if clock > feed.known_until:
                feed.known = {}


class LobbyFeed(Feed):
    """The newest frame of each market: a viewer who is slow misses steps, never the state."""

    key = "all"

    def __init__(self, viewer: Viewer, lobby: Lobby) -> None:
        super().__init__(viewer)
        self.lobby = lobby
        self.latest: dict[int, Frame] = {}
        self.known: dict[
            int, int
        ] = {}  # what the snapshot said, for as long as it may be said again
        self.known_until = 0.0

    async def open(self, after: str | None) -> list[Frame]:  # noqa: ARG002  (there is no position to resume from)
        try:
            return [(await self.lobby.join(self)).frame]
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        self.lobby.leave(self)

    def put(self, news: dict[int, Frame]) -> None:
        was_empty = not self.latest
        self.latest.update(news)
        if was_empty and self.latest and self.opened:
            self.viewer.call(self)

    def waits(self) -> bool:
        return bool(self.latest)

    async def take(self) -> list[Frame]:
        latest, self.latest = self.latest, {}
        return [
            frame for frame in latest.values() if frame.seq > self.known.get(frame.market_id, -1)
        ]


def _snapshot() -> Snapshot:
    found = markets.lively(most=SNAPSHOT_SIZE + 1)
    shown = found[:SNAPSHOT_SIZE]
    frame = lobby_frame(shown, complete=len(found) <= SNAPSHOT_SIZE)
    return Snapshot(frame, {market.pk: market.seq for market in shown})
