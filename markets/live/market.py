"""The topic of one market: every event, in order, without gap or repeat."""

import asyncio
import json
from collections.abc import Callable
from typing import Final

import structlog

from markets.infra.threads import in_thread
from markets.live.frames import Frame, market_frame, snapshot_frame
from markets.live.viewer import Feed, Viewer
from markets.presenters.event import present_event
from markets.presenters.market import present_market
from markets.selectors import history, markets

logger = structlog.get_logger("bellwether.live")

# A viewer further behind gets a snapshot.
MOST_REPLAYED_EVENTS: Final = 1000
MOST_WAITING_FRAMES: Final = 1024


class Topic:
    """A market that someone in this process watches.

    `seq` is the newest event delivered, None until the first viewer has read the market; `heard` is
    the newest known. While they differ, the missing events are read and delivered.
    """

    def __init__(self, market_id: int) -> None:
        self.market_id = market_id
        self.feeds: set[MarketFeed] = set()
        self.seq: int | None = None
        self.heard = -1
        self.healing: asyncio.Task[None] | None = None

    def hear(self, frame: Frame) -> None:
        """Deliver an announced event if it is the next; otherwise read what is missing."""
        if self.seq is not None and self.healing is None and frame.seq == self.seq + 1:
            self._deliver(frame)
        self.advance(frame.seq)

    def advance(self, seq: int) -> None:
        """Note that the market has reached `seq`, and read what is missing."""
        self.heard = max(self.heard, seq)
        if self.seq is not None and self.seq < self.heard and self.healing is None:
            self.healing = asyncio.create_task(self._heal())

    def begin(self, seq: int) -> None:
        """Note that a viewer has read the market at `seq`."""
        if self.seq is None:
            self.seq = seq
            self.advance(seq)

    def _deliver(self, frame: Frame) -> None:
        self.seq = frame.seq
        for feed in self.feeds:
            feed.put(frame)

    async def _heal(self) -> None:
        assert self.seq is not None
        try:
            while self.feeds and self.seq < self.heard:
                missed = await in_thread(_frames_after, self.market_id, self.seq)
                if not missed:
                    self.heard = self.seq
                for frame in missed:
                    self._deliver(frame)
        except Exception:  # the relay's next check tries again
            logger.exception("heal_failed", market_id=self.market_id)
        finally:
            self.healing = None


Topics = dict[int, Topic]  # by market id
ReadMarket = Callable[[int], bytes]  # a public market's JSON by id; raises NotFound


class MarketFeed(Feed):
    """Every frame of one market after `seq`, the newest that the viewer has."""

    def __init__(self, viewer: Viewer, topics: Topics, market_id: int, read: ReadMarket) -> None:
        super().__init__(viewer)
        self.key = market_id
        self.topics, self.market_id, self.read = topics, market_id, read
        self.seq = -1
        self.frames: list[Frame] = []
        self.overflowed = False

    async def open(self, after: str | None) -> list[Frame]:
        # Join first: no event may fall between the two.
        topic = self.topics.setdefault(self.market_id, Topic(self.market_id))
        topic.feeds.add(self)
        first = await in_thread(self._first_frames, int(after) if after else None, topic.seq or 0)
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
        if len(self.frames) >= MOST_WAITING_FRAMES:
            self.overflowed = True
            self.frames.clear()
            return
        self.frames.append(frame)
        if len(self.frames) == 1 and self.opened:
            self.viewer.wake(self)

    async def take(self) -> list[Frame]:
        first: list[Frame] = []
        if self.overflowed:
            self.overflowed = self.opened = False
            self.close()
            first = await self.open(None)
            self.opened = True
        frames, self.frames = self.frames, []
        new = first + [frame for frame in frames if frame.seq > self.seq]
        if new:
            self.seq = new[-1].seq
        return new

    def _first_frames(self, after_seq: int | None, least_seq: int) -> list[Frame]:
        """Return the events after `after_seq`, or a snapshot of `least_seq` or later.

        Raise NotFound.
        """
        if after_seq is not None:
            behind = markets.head(self.market_id) - after_seq
            if 0 <= behind <= MOST_REPLAYED_EVENTS:
                return _frames_after(self.market_id, after_seq)
        market = json.loads(self.read(self.market_id))
        if market["seq"] < least_seq:  # the cache is behind the topic
            market = present_market(markets.get(self.market_id))
        return [snapshot_frame(market)]


def _frames_after(market_id: int, seq: int) -> list[Frame]:
    events = history.events_after(market_id, seq, limit=MOST_REPLAYED_EVENTS + 1)
    return [market_frame(present_event(event)) for event in events]
