"""The viewers of one process and the topics that they follow."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Callable
from typing import Any, Final

from django.conf import settings

from markets.domain.errors import Refused, TooManyStreams
from markets.infra.threads import in_thread
from markets.live.frames import market_frame
from markets.live.lobby import Lobby
from markets.live.market import Topic
from markets.live.person import People
from markets.live.viewer import Viewer
from markets.selectors import markets, own

RECONNECT_SPREAD_MS: Final = 5000  # of a stopping server's viewers


class Hub:
    def __init__(self) -> None:
        self.viewers: set[Viewer] = set()
        self.addresses: Counter[str] = Counter()  # viewers by address
        self.topics: dict[int, Topic] = {}  # by market id
        self.lobby = Lobby()
        self.people: People = {}
        self.stopping = False
        self.empty = asyncio.Event()  # the last viewer has left

    def admit(self, address: str, drop: Callable[[], None]) -> Viewer:
        """Raise TooManyStreams."""
        if self.stopping or len(self.viewers) >= settings.STREAMS_PER_PROCESS:
            raise TooManyStreams("This server has as many viewers as it takes")
        if self.addresses[address] >= settings.STREAMS_PER_ADDRESS:
            raise TooManyStreams(f"Your address has {settings.STREAMS_PER_ADDRESS} streams open")
        viewer = Viewer(address, drop)
        self.viewers.add(viewer)
        self.addresses[address] += 1
        return viewer

    def dismiss(self, viewer: Viewer) -> None:
        """Forget a viewer; may be repeated."""
        viewer.leave()
        if viewer in self.viewers:
            self.viewers.remove(viewer)
            self.addresses[viewer.address] -= 1
            if not self.addresses[viewer.address]:
                del self.addresses[viewer.address]
            if not self.viewers:
                self.empty.set()

    def hear(self, message: dict[str, Any]) -> None:
        """Pass on an event, or the `users` whose private data changed."""
        if "users" in message:
            for user_id in message["users"]:
                for feed in self.people.get(user_id, ()):
                    feed.mark_outdated()
            return
        frame = market_frame(message)
        if topic := self.topics.get(frame.market_id):
            topic.hear(frame)
        self.lobby.hear(frame)

    async def check(self) -> None:
        """Find what the doorbell lost."""
        if self.topics:
            for market_id, seq in (await in_thread(markets.heads, list(self.topics))).items():
                if topic := self.topics.get(market_id):
                    topic.advance(seq)
        await self.lobby.check()
        if self.people:
            for user_id, cursor in (await in_thread(own.heads, list(self.people))).items():
                for feed in self.people.get(user_id, ()):
                    if cursor != feed.cursor:
                        feed.mark_outdated()

    async def recheck(self) -> None:
        """End the private feeds whose key or session has ended."""
        for feed in [feed for feeds in self.people.values() for feed in feeds]:
            try:
                await feed.authorize()
            except Refused:
                feed.viewer.end(RECONNECT_SPREAD_MS)

    async def tick(self) -> None:
        now = asyncio.get_running_loop().time()
        for viewer in list(self.viewers):
            viewer.tick(now)

    async def say_goodbye(self, seconds: float) -> None:
        """Ask all viewers to reconnect, and wait until they have left."""
        self.stopping = True
        for viewer in list(self.viewers):
            viewer.end(RECONNECT_SPREAD_MS)
        if self.viewers:
            self.empty.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.empty.wait(), seconds)
