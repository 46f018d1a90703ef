"""Who watches what in this process, and how many may."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

from django.conf import settings

from markets.domain.errors import Refused, TooManyStreams
from markets.infra.threads import in_thread
from markets.live.frames import event_frame
from markets.live.lobby import Lobby
from markets.live.market import Topic
from markets.live.person import People
from markets.live.viewer import Viewer
from markets.selectors import markets, own

SPREAD: Final = 5000  # ms over which the viewers of a server that stops come back


class Hub:
    """All viewers of one process, and the topics that they follow."""

    def __init__(self) -> None:
        self.viewers: set[Viewer] = set()
        self.addresses: Counter[str] = Counter()
        self.topics: dict[int, Topic] = {}
        self.lobby = Lobby()
        self.people: People = {}
        self.stopping = False
        self.empty = asyncio.Event()  # nobody watches any more

    def admit(self, address: str, drop: Callable[[], None]) -> Viewer:
        """A new viewer. Raises TooManyStreams."""
        if self.stopping or len(self.viewers) >= settings.STREAMS_PER_PROCESS:
            raise TooManyStreams("This server has as many viewers as it takes")
        if self.addresses[address] >= settings.STREAMS_PER_ADDRESS:
            raise TooManyStreams(f"Your address has {settings.STREAMS_PER_ADDRESS} streams open")
        viewer = Viewer(address, drop)
        self.viewers.add(viewer)
        self.addresses[address] += 1
        return viewer

    def dismiss(self, viewer: Viewer) -> None:
        """The viewer is gone."""
        viewer.leave()
        if viewer in self.viewers:
            self.viewers.remove(viewer)
            self.addresses[viewer.address] -= 1
            if not self.addresses[viewer.address]:
                del self.addresses[viewer.address]
            if not self.viewers:
                self.empty.set()

    def hear(self, message: dict[str, Any]) -> None:
        """A message of the doorbell: an event, or whose own things changed."""
        if "users" in message:
            for user_id in message["users"]:
                for feed in self.people.get(user_id, ()):
                    feed.stir()
            return
        frame = event_frame(message)
        if topic := self.topics.get(frame.market_id):
            topic.hear(frame)
        self.lobby.hear(frame)

    async def check(self, now: datetime) -> None:
        """Ask the database whether anything was missed (the doorbell may lose a ring)."""
        if self.topics:
            for market_id, seq in (await in_thread(markets.heads, list(self.topics))).items():
                if topic := self.topics.get(market_id):
                    topic.reach(seq)
        await self.lobby.check(now)
        if self.people:
            for user_id, cursor in (await in_thread(own.heads, list(self.people))).items():
                for feed in self.people.get(user_id, ()):
                    if cursor != feed.cursor:
                        feed.stir()

    async def recheck(self) -> None:
        """End private feeds whose key or session has ended."""
        for feed in [feed for feeds in self.people.values() for feed in feeds]:
            try:
                await feed.allowed()
            except Refused:
                feed.viewer.part(SPREAD)

    def tick(self) -> None:
        """Heartbeats, ends of streams that are too old, and of viewers who stopped reading."""
        now = asyncio.get_running_loop().time()
        for viewer in list(self.viewers):
            viewer.tick(now)

    async def farewell(self, patience: float) -> None:
        """The server stops: ask every viewer to come back, each at another moment, and wait until they were told."""
        self.stopping = True
        for viewer in list(self.viewers):
            viewer.part(SPREAD)
        if self.viewers:
            self.empty.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(patience):
                    await self.empty.wait()
