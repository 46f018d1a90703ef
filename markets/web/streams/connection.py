"""What every open connection has: a viewer, the task that writes to it, and a clean end."""

import asyncio
from typing import Any

from channels.consumer import AsyncConsumer

from markets.infra.threads import in_thread
from markets.live.hub import Hub
from markets.live.person import PersonFeed
from markets.live.viewer import Viewer
from markets.web.auth import Caller, caller_of


class Connection(AsyncConsumer):
    """A consumer with a viewer of `hub`. Whatever ends it, the hub forgets the viewer."""

    hub: Hub
    task: asyncio.Task[Any] | None = None
    viewer: Viewer | None = None
    pump: asyncio.Task[None] | None = None
    dropped = False

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.task = asyncio.current_task()
        try:
            await super().__call__(scope, receive, send)
        except asyncio.CancelledError:
            if not self.dropped:  # the server is being killed
                raise
        finally:
            if self.pump is not None:
                self.pump.cancel()
            if self.viewer is not None:
                self.hub.dismiss(self.viewer)
            self.task = self.pump = self.viewer = None

    def admit(self) -> Viewer:
        """Raises TooManyStreams."""
        client = self.scope.get(
            "client"
        )  # behind a proxy only what the server trusts (README, Running it)
        self.viewer = self.hub.admit(client[0] if client else "", self._drop)
        return self.viewer

    async def own_feed(self, viewer: Viewer) -> PersonFeed:
        """What is the caller's own, for as long as their key or session is good. Raises Unauthenticated, Forbidden."""

        async def caller() -> Caller:
            return await in_thread(caller_of, self.scope)

        return PersonFeed(viewer, self.hub.people, (await caller()).user, caller)

    def _drop(self) -> None:
        self.dropped = True
        if self.task is not None:
            self.task.cancel()
