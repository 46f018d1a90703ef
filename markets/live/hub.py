"""Who watches what in this process, and the order in which they hear of it."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Final

import structlog

from markets.live.frames import Frame, event_frame, lobby_frame, snapshot_frame
from markets.live.mailbox import LatestMailbox, Mailbox
from markets.selectors import history, markets
from markets.threads import in_thread

logger = structlog.get_logger("bellwether.live")

LONGEST_REPLAY: Final = 500  # events; a viewer further behind starts from a snapshot
OVERLAP: Final = timedelta(seconds=15)  # how far back a check of all markets looks


class Topic:
    """One market that someone watches. Delivers its events in order without gap or repeat.

    `seq` is the newest event delivered (None until the first viewer's read says where the market stands); `heard` is the
    newest that anyone spoke of. While they differ, the database is read.
    """

    def __init__(self, market_id: int) -> None:
        self.market_id = market_id
        self.viewers: set[Mailbox] = set()
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
        for mailbox in self.viewers:
            mailbox.put(frame)

    async def _heal(self) -> None:
        assert self.seq is not None
        try:
            while self.viewers and self.seq < self.heard:
                missed = await in_thread(history.events_after, self.market_id, self.seq, limit=LONGEST_REPLAY)
                if not missed:
                    self.heard = self.seq
                for event in missed:
                    self._deliver(event_frame(event.message()))
        except Exception:  # the database is away: the relay's next check tries again
            logger.exception("heal_failed", market_id=self.market_id)
        finally:
            self.healing = None


class Hub:
    """All viewers of one process: of single markets, and of all of them (the lobby)."""

    def __init__(self) -> None:
        self.topics: dict[int, Topic] = {}
        self.lobby: set[LatestMailbox] = set()
        self.lobby_seqs: dict[int, int] = {}  # the newest event of each market that the lobby was told of

    def hear(self, frame: Frame) -> None:
        """An event was announced."""
        if topic := self.topics.get(frame.market_id):
            topic.hear(frame)
        if self.lobby and frame.seq > self.lobby_seqs.get(frame.market_id, -1):
            self.lobby_seqs[frame.market_id] = frame.seq
            for mailbox in self.lobby:
                mailbox.put(frame)

    async def join_market(self, market_id: int, mailbox: Mailbox, after_seq: int | None) -> list[Frame]:
        """Watch one market. Gives the frames to begin with: what was missed since `after_seq`, or a snapshot.

        The mailbox is filled from before the read on, so nothing falls between the two. Raises NotFound.
        """
        topic = self.topics.setdefault(market_id, Topic(market_id))
        topic.viewers.add(mailbox)
        try:
            frames = await in_thread(opening, market_id, after_seq)
        except BaseException:
            self.leave_market(market_id, mailbox)
            raise
        mailbox.seq = frames[-1].seq if frames else (after_seq or 0)
        topic.begin(mailbox.seq)
        return frames

    def leave_market(self, market_id: int, mailbox: Mailbox) -> None:
        topic = self.topics.get(market_id)
        if topic is not None:
            topic.viewers.discard(mailbox)
            if not topic.viewers:
                del self.topics[market_id]

    async def join_lobby(self, mailbox: LatestMailbox) -> list[Frame]:
        """Watch all markets. Gives the snapshot to begin with."""
        self.lobby.add(mailbox)
        try:
            frame = await in_thread(_lobby)
        except BaseException:
            self.leave_lobby(mailbox)
            raise
        for market in frame.message["markets"]:
            known = self.lobby_seqs.get(market["market_id"], -1)
            self.lobby_seqs[market["market_id"]] = max(known, market["seq"])
        return [frame]

    def leave_lobby(self, mailbox: LatestMailbox) -> None:
        self.lobby.discard(mailbox)
        if not self.lobby:
            self.lobby_seqs.clear()

    async def check(self, now: datetime) -> None:
        """Ask the database whether anything was missed (the doorbell may lose a ring)."""
        if self.topics:
            for market_id, seq in (await in_thread(markets.heads, list(self.topics))).items():
                if topic := self.topics.get(market_id):
                    topic.reach(seq)
        if self.lobby:
            for market_id, seq in (await in_thread(markets.moved_since, now - OVERLAP)).items():
                if seq > self.lobby_seqs.get(market_id, -1):
                    for event in await in_thread(history.events_after, market_id, seq - 1, limit=1):
                        self.hear(event_frame(event.message()))


def opening(market_id: int, after_seq: int | None) -> list[Frame]:
    """The frames a viewer begins with: the events behind `after_seq` if they are few, otherwise a snapshot."""
    market = markets.get(market_id)
    if after_seq is not None and 0 <= market.seq - after_seq <= LONGEST_REPLAY:
        events = history.events_after(market_id, after_seq, limit=LONGEST_REPLAY + 1)
        return [event_frame(event.message()) for event in events]
    return [snapshot_frame(market)]


def _lobby() -> Frame:
    found = markets.lively(most=LOBBY_SIZE + 1)
    return lobby_frame(found[:LOBBY_SIZE], complete=len(found) <= LOBBY_SIZE)


LOBBY_SIZE: Final = 500  # markets in the snapshot of the all-markets stream
