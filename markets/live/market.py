"""The viewers of one market: every event, in order, without gap or repeat."""

import asyncio
import json
from collections.abc import Callable
from typing import Final

import structlog

from markets.infra.threads import in_thread
from markets.live.frames import Frame, event_frame, snapshot_frame
from markets.live.viewer import Feed, Viewer
from markets.presenters.event import present_event
from markets.presenters.market import present_market
from markets.selectors import history, markets

logger = structlog.get_logger("bellwether.live")

MOST_REPLAYED: Final = 1000  # events; a viewer further behind starts from a snapshot
MOST_WAITING: Final = 1024  # frames; a viewer further behind gets a fresh snapshot


class Topic:
    """One market that someone watches.

    `seq` is the newest event delivered (None until the first viewer's read says where the market stands); `heard` is the
    newest that anyone spoke of. While they differ, the database is read.
    """

    def __init__(self, market_id: int) -> None:
        self.market_id = market_id
        self.feeds: set[MarketFeed] = set()
        self.seq: int | None = None
        self.heard = -1
        self.healing: asyncio.Task[None] | None = None

    def hear(self, frame: Frame) -> None:
        """An event was announced: deliver it if it is the next one, look in the database if it is a later one."""
        if self.seq is not None and self.healing is None and frame.seq == self.seq + 1:
            self._deliver(frame)
        self.reach(frame.seq)

    def reach(self, seq: int) -> None:
        """The market is known to stand at `seq`."""
        self.heard = max(self.heard, seq)
        if self.seq is not None and self.seq < self.heard and self.healing is None:
            self.healing = asyncio.create_task(self._heal())

    def begin(self, seq: int) -> None:
        """A viewer has read the market at `seq`."""
        if self.seq is None:
            self.seq = seq
            self.reach(seq)

    def _deliver(self, frame: Frame) -> None:
        self.seq = frame.seq
        for feed in self.feeds:
            feed.put(frame)

    async def _heal(self) -> None:
        assert self.seq is not None
        try:
            while self.feeds and self.seq < self.heard:
                missed = await in_thread(
                    history.events_after, self.market_id, self.seq, limit=MOST_REPLAYED
                )
                if not missed:
                    self.heard = self.seq
                for event in missed:
                    self._deliver(event_frame(present_event(event)))
        except Exception:  # the database is away: the relay's next check tries again
            logger.exception("heal_failed", market_id=self.market_id)
        finally:
            self.healing = None


Topics = dict[int, Topic]  # the markets that someone watches in this process, by id
ReadMarket = Callable[[int], bytes]  # gives a public market by its id, as JSON; raises NotFound


class MarketFeed(Feed):
    """Every frame of one market behind `seq`, the newest that the viewer has."""

    def __init__(self, viewer: Viewer, topics: Topics, market_id: int, read: ReadMarket) -> None:
        super().__init__(viewer)
        self.key = market_id
        self.topics, self.market_id, self.read = topics, market_id, read
        self.seq = -1
        self.frames: list[Frame] = []
        self.overflowed = False  # frames were dropped

    async def open(self, after: str | None) -> list[Frame]:
        """Frames arrive from before the database is read, so nothing falls between the two."""
        topic = self.topics.setdefault(self.market_id, Topic(self.market_id))
        topic.feeds.add(self)
        try:
            first = await in_thread(self._opening, int(after) if after else None, topic.seq or 0)
        except BaseException:
            self.close()
            raise
        self.seq = first[-1].seq if first else int(after or 0)
        topic.begin(self.seq)
        return first

    def close(self) -> None:
        topic = self.topics.get(self.market_id)
        if topic is not None:
            topic.feeds.discard(self)
            if not topic.feeds:
                del self.topics[self.market_id]

    def put(self, frame: Frame) -> None:
        if self.overflowed:
            return
        if len(self.frames) >= MOST_WAITING:
            self.overflowed = True
            self.frames.clear()
            return
        self.frames.append(frame)
        if len(self.frames) == 1 and self.opened:
            self.viewer.call(self)

    def waits(self) -> bool:
        return self.overflowed or bool(self.frames)

    async def take(self) -> list[Frame]:
        if self.overflowed:  # too far behind: begin again with the state as it is
            self.overflowed = self.opened = False
            self.close()
            first = await self.open(None)
            self.opened = True
        else:
            first = []
        frames, self.frames = self.frames, []
        new = first + [frame for frame in frames if frame.seq > self.seq]
        if new:
            self.seq = new[-1].seq
        return new

    def _opening(self, after_seq: int | None, least: int) -> list[Frame]:
        """Return the frames to begin with: the events behind `after_seq` if they are few, otherwise a snapshot.

        The snapshot is of `seq` `least` or later. Raise NotFound.
        """
        if after_seq is not None:
            behind = markets.head(self.market_id) - after_seq
            if 0 <= behind <= MOST_REPLAYED:
                events = history.events_after(self.market_id, after_seq, limit=MOST_REPLAYED + 1)
                return [event_frame(present_event(event)) for event in events]
        market = json.loads(self.read(self.market_id))
        if market["seq"] < least:  # a cache that missed an event: the viewers here know better
            market = present_market(markets.get(self.market_id))
        return [snapshot_frame(market)]
