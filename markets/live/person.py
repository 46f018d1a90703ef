"""What is a person's own: fills, every movement of their balance, notifications. Read from the database for each viewer.

The doorbell says only whose something changed, never what; so nothing private passes through it.
"""

from collections.abc import Awaitable, Callable
from typing import Any

from django.contrib.auth.base_user import AbstractBaseUser

from markets.infra.threads import in_thread
from markets.live.frames import Frame
from markets.live.viewer import Feed, Viewer
from markets.presenters.news import present_movement, present_notification
from markets.presenters.portfolio import present_summary
from markets.selectors import own, portfolio
from markets.selectors.own import Movement, NewsCursor

People = dict[int, set["PersonFeed"]]  # the private feeds of a process, by user id


class PersonFeed(Feed):
    """Everything behind `cursor`. `allowed` raises Refused once the viewer's key or session has ended."""

    key = "me"

    def __init__(
        self,
        viewer: Viewer,
        people: People,
        user: AbstractBaseUser,
        allowed: Callable[[], Awaitable[object]],
    ) -> None:
        super().__init__(viewer)
        self.people, self.user, self.allowed = people, user, allowed
        self.cursor = NewsCursor(0, 0)
        self.stirred = False  # something of this person's own changed since the last read

    async def open(self, after: str | None) -> list[Frame]:
        self.people.setdefault(self.user.pk, set()).add(self)
        try:
            known = NewsCursor.parse(after)
            if known is not None and await in_thread(own.can_resume, self.user, known):
                self.cursor = known
                return await self._news()
            message, self.cursor = await in_thread(snapshot, self.user)
        except BaseException:
            self.close()
            raise
        return [Frame(0, 0, message, id=str(self.cursor))]

    def close(self) -> None:
        feeds = self.people.get(self.user.pk, set())
        feeds.discard(self)
        if not feeds:
            self.people.pop(self.user.pk, None)

    def stir(self) -> None:
        """Note that something of this person's own changed."""
        if not self.stirred:
            self.stirred = True
            if self.opened:
                self.viewer.call(self)

    def waits(self) -> bool:
        return self.stirred

    async def take(self) -> list[Frame]:
        self.stirred = False
        return await self._news()

    async def _news(self) -> list[Frame]:
        """Return the frames of what is behind the cursor, and move it; when more is left, ask to be called again."""
        found = await in_thread(news, self.user, self.cursor)
        if found:
            self.cursor = found[-1][1]
        if len(found) == own.MOST_NEWS:
            self.stir()
        return [Frame(0, 0, message, id=str(cursor)) for message, cursor in found]


def snapshot(user: AbstractBaseUser) -> tuple[dict[str, Any], NewsCursor]:
    """Return what the person has, and the cursor that it is of. Later news may repeat it, and never miss anything."""
    cursor = own.head(user)
    summary = present_summary(user, portfolio.balance(user), portfolio.positions(user))
    return {"type": "snapshot", "user_id": user.pk, **summary}, cursor


def news(user: AbstractBaseUser, after: NewsCursor) -> list[tuple[dict[str, Any], NewsCursor]]:
    """Return the messages behind `after`, oldest first, each with the cursor that it leads to."""
    return [
        (present_movement(*row) if isinstance(row, Movement) else present_notification(row), cursor)
        for row, cursor in own.news(user, after)
    ]
