"""What happened to a person: the rows of the private stream."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from django.contrib.auth.base_user import AbstractBaseUser
from django.db.models import Max

from markets.models import Account, Notification, Posting, Trade

MOST_NEWS: Final = 500  # rows in one read


class NewsCursor(NamedTuple):
    """The newest posting and the newest notification that a viewer knows of. Written `12.7`."""

    posting: int
    notification: int

    def __str__(self) -> str:
        return f"{self.posting}.{self.notification}"

    @staticmethod
    def parse(text: str | None) -> NewsCursor | None:
        """Return None for what is not a cursor."""
        match = re.fullmatch(r"([0-9]{1,18})\.([0-9]{1,18})", text or "", re.ASCII)
        return NewsCursor(int(match[1]), int(match[2])) if match else None


class Movement(NamedTuple):
    """A posting of the person's account with its entry, and the trade of theirs that made it, if one did."""

    posting: Posting
    trade: Trade | None


def heads(user_ids: list[int]) -> dict[int, NewsCursor]:
    """Return the newest cursor of each person."""
    accounts = Account.objects.filter(user__in=user_ids).annotate(last=Max("postings__id"))
    postings = dict(accounts.values_list("user_id", "last"))
    notifications = Notification.objects.filter(user__in=user_ids).order_by().values("user")
    told = dict(notifications.annotate(last=Max("id")).values_list("user", "last"))
    return {pk: NewsCursor(postings.get(pk) or 0, told.get(pk) or 0) for pk in user_ids}


def head(user: AbstractBaseUser) -> NewsCursor:
    """Return the person's newest cursor."""
    return heads([user.pk])[user.pk]


def can_resume(user: AbstractBaseUser, cursor: NewsCursor) -> bool:
    """Return whether the person's news reach `cursor`: one of another database, or made up, may lie ahead of them."""
    reached = head(user)
    return cursor.posting <= reached.posting and cursor.notification <= reached.notification


def news(
    user: AbstractBaseUser, after: NewsCursor
) -> list[tuple[Movement | Notification, NewsCursor]]:
    """Return up to MOST_NEWS rows behind `after`, oldest first, each with the cursor of a viewer who has read it."""
    found: list[tuple[Movement | Notification, NewsCursor]] = []
    postings = Posting.objects.filter(account__user_id=user.pk, id__gt=after.posting)
    listed = list(postings.select_related("entry").order_by("id")[:MOST_NEWS])
    trades = Trade.objects.filter(entry__in=[posting.entry_id for posting in listed])
    by_entry = {trade.entry_id: trade for trade in trades}
    for posting in listed:
        after = after._replace(posting=posting.pk)
        found.append((Movement(posting, by_entry.get(posting.entry_id)), after))
    told = Notification.objects.filter(user_id=user.pk, id__gt=after.notification)
    for notification in told.select_related("event").order_by("id")[: MOST_NEWS - len(found)]:
        after = after._replace(notification=notification.pk)
        found.append((notification, after))
    return found
