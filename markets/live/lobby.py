"""The topic of all markets: the latest frame of each, at most five times a second."""

from __future__ import annotations

import asyncio
from typing import Final, NamedTuple

from markets.infra.threads import in_thread
from markets.live.frames import Frame, market_frame
from markets.live.viewer import Feed, Viewer
from markets.presenters.event import present_event
from markets.presenters.market import present_market_in_short
from markets.selectors import markets
from markets.selectors.feed import current_horizon, newest_since

SECONDS_BETWEEN_ROUNDS: Final = 0.2
KNOWN_SECONDS: Final = 30.0  # for which a check may repeat what a snapshot said
MOST_SNAPSHOT_MARKETS: Final = 500
SNAPSHOT_SECONDS: Final = 1.0  # for which new viewers share a snapshot


class Snapshot(NamedTuple):
    frame: Frame
    seqs: dict[int, int]  # by market id
    horizon: int  # of the reading (selectors/feed.py)


class Lobby:
    """Sends in rounds: a burst costs each viewer one write."""

    def __init__(self) -> None:
        self.feeds: set[LobbyFeed] = set()
        self._reset()

    def _reset(self) -> None:
        self.seqs: dict[int, int] = {}  # newest heard, by market id
        self.unsent: dict[int, Frame] = {}  # newest since the last round, by market id
        self.sent_at = 0.0  # loop time
        self.round: asyncio.TimerHandle | None = None
        self.snapshot: asyncio.Task[Snapshot] | None = None
        self.snapshot_at = 0.0  # loop time
        self.since_snapshot: dict[int, Frame] = {}  # newest, by market id
        self.horizon: int | None = None  # of the last reading

    def hear(self, frame: Frame) -> None:
        if not self.feeds or frame.seq <= self.seqs.get(frame.market_id, -1):
            return
        self.seqs[frame.market_id] = frame.seq
        self.unsent[frame.market_id] = frame
        loop = asyncio.get_running_loop()
        now = loop.time()
        if now < self.snapshot_at + SNAPSHOT_SECONDS:
            self.since_snapshot[frame.market_id] = frame
        if self.round is None:
            wait = max(0, self.sent_at + SECONDS_BETWEEN_ROUNDS - now)
            self.round = loop.call_later(wait, self._send)

    def _send(self) -> None:
        self.round = None
        self.sent_at = asyncio.get_running_loop().time()
        frames, self.unsent = self.unsent, {}
        for feed in self.feeds:
            feed.put(frames)

    async def join(self, feed: LobbyFeed) -> Frame:
        """Return a snapshot; the feed has all frames since."""
        self.feeds.add(feed)
        task, now = self.snapshot, asyncio.get_running_loop().time()
        old = now >= self.snapshot_at + SNAPSHOT_SECONDS
        if task is None or old or (task.done() and task.exception()):
            self.snapshot_at, self.since_snapshot = now, {}
            self.snapshot = task = asyncio.create_task(in_thread(_snapshot))
        since = self.since_snapshot
        snapshot = await asyncio.shield(task)
        feed.known = snapshot.seqs
        feed.known_until = now + KNOWN_SECONDS
        self.horizon = self.horizon or snapshot.horizon
        feed.put(since)
        return snapshot.frame

    def leave(self, feed: LobbyFeed) -> None:
        self.feeds.discard(feed)
        if not self.feeds:
            if self.round is not None:
                self.round.cancel()
            self._reset()

    async def check(self) -> None:
        """Find what the doorbell lost."""
        if self.horizon is None:
            return
        events, self.horizon = await in_thread(newest_since, self.horizon)
        for event in events:
            self.hear(market_frame(present_event(event)))
        clock = asyncio.get_running_loop().time()
        for feed in self.feeds:
            if clock > feed.known_until:
                feed.known = {}


class LobbyFeed(Feed):
    """The newest frame of each market: a slow viewer misses steps, never the state."""

    key = "all"

    def __init__(self, viewer: Viewer, lobby: Lobby) -> None:
        super().__init__(viewer)
        self.lobby = lobby
        self.latest: dict[int, Frame] = {}  # by market id
        self.known: dict[int, int] = {}  # the snapshot's `seq`s, against repeats
        self.known_until = 0.0  # loop time

    async def open(self, _after: str | None) -> list[Frame]:
        return [await self.lobby.join(self)]

    def close(self) -> None:
        self.lobby.leave(self)

    def put(self, frames: dict[int, Frame]) -> None:
        was_empty = not self.latest
        self.latest.update(frames)
        if was_empty and self.latest and self.opened:
            self.viewer.wake(self)

    async def take(self) -> list[Frame]:
        known, latest, self.latest = self.known, self.latest, {}
        return [frame for frame in latest.values() if frame.seq > known.get(frame.market_id, -1)]


def _snapshot() -> Snapshot:
    horizon = current_horizon()
    found = markets.lively(most=MOST_SNAPSHOT_MARKETS + 1)
    shown = found[:MOST_SNAPSHOT_MARKETS]
    message = {
        "type": "snapshot",
        "complete": len(found) == len(shown),
        "markets": [present_market_in_short(market) for market in shown],
    }
    return Snapshot(Frame(message), {market.pk: market.seq for market in shown}, horizon)
