"""What both kinds of stream share: a viewer, its feeds, and the task that writes to it."""

import asyncio
import contextlib
from typing import Any

import structlog
from channels.consumer import AsyncConsumer

from markets.caching import shared
from markets.infra.threads import in_thread
from markets.live.hub import Hub
from markets.live.lobby import LobbyFeed
from markets.live.market import MarketFeed
from markets.live.person import PersonFeed
from markets.live.viewer import Feed, Viewer
from markets.web.auth import caller_of

logger = structlog.get_logger("bellwether.live")


class Connection(AsyncConsumer):
    """Has a viewer of `hub`, which forgets it however the connection ends."""

    hub: Hub
    task: asyncio.Task[Any] | None = None
    viewer: Viewer | None = None
    writer: asyncio.Task[None] | None = None
    dropped = False

    async def write(self, viewer: Viewer) -> None:
        """Write frames until the viewer has to reconnect."""
        raise NotImplementedError

    async def finish(self, reconnect_ms: int | None) -> None:
        """End the stream, and say when to reconnect; None for a failure."""
        raise NotImplementedError

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.task = asyncio.current_task()
        try:
            await super().__call__(scope, receive, send)
        except asyncio.CancelledError:
            if not self.dropped:  # the server is killed
                raise
        finally:
            if self.writer is not None:
                self.writer.cancel()
            if self.viewer is not None:
                self.hub.dismiss(self.viewer)
            self.task = self.writer = self.viewer = None

    def admit(self) -> Viewer:
        """Raise TooManyStreams."""
        client = self.scope.get("client")  # behind a proxy: README, Running it
        self.viewer = self.hub.admit(client[0] if client else "", self._drop)
        return self.viewer

    async def feed(self, viewer: Viewer, key: Any) -> Feed:
        """Return the feed of a market id, of "all", or of "me".

        Raise Unauthenticated or Forbidden for "me".
        """
        hub = self.hub
        if key == "all":
            return LobbyFeed(viewer, hub.lobby)
        if key == "me":
            user = (await in_thread(caller_of, self.scope)).user
            return PersonFeed(viewer, hub.people, user, lambda: in_thread(caller_of, self.scope))
        return MarketFeed(viewer, hub.topics, key, shared.read_market)

    def start_writing(self, viewer: Viewer) -> None:
        self.writer = asyncio.create_task(self._pump(viewer))

    async def _pump(self, viewer: Viewer) -> None:
        try:
            await self.write(viewer)
            await self.finish(viewer.reconnect_ms)
        except Exception:
            logger.exception("stream_failed")
            with contextlib.suppress(Exception):
                await self.finish(None)
        finally:
            self.hub.dismiss(viewer)

    def _drop(self) -> None:
        self.dropped = True
        if self.task is not None:
            self.task.cancel()
