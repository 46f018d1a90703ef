"""What is a person's own: fills, every movement of their balance, notifications. Read from the database for each viewer.

The doorbell says only whose something changed, never what; so nothing private passes through it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from django.contrib.auth.base_user import AbstractBaseUser

from markets.live.frames import Frame
from markets.live.viewer import Feed, Viewer
from markets.selectors import own
from markets.threads import in_thread

if TYPE_CHECKING:
    from markets.live.hub import Hub


class PersonFeed(Feed):
    """Everything behind `position`. `allowed` raises Refused once the viewer's key or session has ended."""

    key = "me"

    def __init__(self, viewer: Viewer, hub: Hub, user: AbstractBaseUser, allowed: Callable[[], Awaitable[object]]) -> None:
        super().__init__(viewer)
        self.hub, self.user, self.allowed = hub, user, allowed
        self.position = own.Position(0, 0)
        self.stirred = False

    async def open(self, after: str | None) -> list[Frame]:
        self.hub.people.setdefault(self.user.pk, set()).add(self)
        try:
            known = own.Position.parse(after)
            if known is not None and await in_thread(own.can_follow, self.user, known):
                self.position = known
                return self._frames(await in_thread(own.news, self.user, known))
            message, self.position = await in_thread(own.snapshot, self.user)
        except BaseException:
            self.close()
            raise
        return [Frame(0, 0, message, id=str(self.position))]

    def close(self) -> None:
        feeds = self.hub.people.get(self.user.pk, set())
        feeds.discard(self)
        if not feeds:
            self.hub.people.pop(self.user.pk, None)

    def stir(self) -> None:
        """Something of this person's changed."""
        if not self.stirred:
            self.stirred = True
            if self.opened:
                self.viewer.call(self)

    def waits(self) -> bool:
        return self.stirred

    async def take(self) -> list[Frame]:
        self.stirred = False
        return self._frames(await in_thread(own.news, self.user, self.position))

    def _frames(self, news: list[tuple[dict[str, object], own.Position]]) -> list[Frame]:
        if news:
            self.position = news[-1][1]
        if len(news) == own.MOST:
            self.stir()
        return [Frame(0, 0, message, id=str(position)) for message, position in news]
