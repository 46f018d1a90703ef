"""The topic of one person: fills, movements of the balance, notifications.

The doorbell says only whose data changed, so private data stay private: feeds read the database.
"""

from collections.abc import Awaitable, Callable

from django.contrib.auth.base_user import AbstractBaseUser

from markets.infra.threads import in_thread
from markets.live.frames import Frame
from markets.live.viewer import Feed, Viewer
from markets.presenters.portfolio import present_movement, present_notification, present_summary
from markets.selectors import own, portfolio

People = dict[int, set["PersonFeed"]]  # by user id
Authorize = Callable[[], Awaitable[object]]


class PersonFeed(Feed):
    """`authorize` raises Refused once the key or session has ended."""

    key = "me"

    def __init__(
        self, viewer: Viewer, people: People, user: AbstractBaseUser, authorize: Authorize
    ) -> None:
        super().__init__(viewer)
        self.people, self.user, self.authorize = people, user, authorize
        self.cursor = own.NewsCursor(0, 0)
        self.outdated = False  # there is news after the cursor

    async def open(self, after: str | None) -> list[Frame]:
        self.people.setdefault(self.user.pk, set()).add(self)
        return await in_thread(self._first_frames, after)

    def close(self) -> None:
        feeds = self.people.get(self.user.pk, set())
        feeds.discard(self)
        if not feeds:
            self.people.pop(self.user.pk, None)

    def mark_outdated(self) -> None:
        if not self.outdated:
            self.outdated = True
            if self.opened:
                self.viewer.wake(self)

    async def take(self) -> list[Frame]:
        if not self.outdated:
            return []
        self.outdated = False
        frames = await in_thread(self._read_news)
        if self.outdated:  # there is more
            self.viewer.wake(self)
        return frames

    def _first_frames(self, after: str | None) -> list[Frame]:
        """Return the news after a cursor, or a snapshot."""
        cursor = own.NewsCursor.parse(after)
        if cursor is not None and own.can_resume(self.user, cursor):
            self.cursor = cursor
            return self._read_news()
        self.cursor = own.head(self.user)  # first: news may repeat, not be missed
        balance, positions = portfolio.spendable(self.user), portfolio.positions(self.user)
        summary = present_summary(self.user, balance, positions)
        message = {"type": "snapshot", "user_id": self.user.pk, **summary}
        return [Frame(message, id=str(self.cursor))]

    def _read_news(self) -> list[Frame]:
        """Return up to `own.MOST_NEWS` frames, and advance the cursor."""
        frames = []
        for row, cursor in own.news(self.user, self.cursor):
            if isinstance(row, own.Movement):
                message = present_movement(*row)
            else:
                message = present_notification(row)
            frames.append(Frame(message, id=str(cursor)))
            self.cursor = cursor
        if len(frames) == own.MOST_NEWS:
            self.outdated = True
        return frames
