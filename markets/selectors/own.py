"""The rows of a user's private stream: postings and notifications."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from django.contrib.auth.base_user import AbstractBaseUser
from django.db.models import Max

from markets.models import Account, Notification, Posting, Trade

MOST_NEWS: Final = 500  # rows in one read


class NewsCursor(NamedTuple):
    """The ids of the last ones that a viewer has seen. Written `12.7`."""

    posting: int
    notification: int

    def __str__(self) -> str:
        return f"{self.posting}.{self.notification}"

    @staticmethod
    def parse(text: str | None) -> NewsCursor | None:
        """Return None for an invalid text."""
        match = re.fullmatch(r"([0-9]{1,18})\.([0-9]{1,18})", text or "", re.ASCII)
        return NewsCursor(int(match[1]), int(match[2])) if match else None


class Movement(NamedTuple):
    posting: Posting
    trade: Trade | None  # that caused it


def heads(user_ids: list[int]) -> dict[int, NewsCursor]:
    """Return newest cursors by user id."""
    accounts = Account.objects.filter(user__in=user_ids).annotate(last=Max("postings__id"))
    postings = dict(accounts.values_list("user_id", "last"))
    notifications = Notification.objects.filter(user__in=user_ids).order_by().values("user")
    told = dict(notifications.annotate(last=Max("id")).values_list("user", "last"))
    return {pk: NewsCursor(postings.get(pk) or 0, told.get(pk) or 0) for pk in user_ids}


def head(user: AbstractBaseUser) -> NewsCursor:
    return heads([user.pk])[user.pk]


def can_resume(user: AbstractBaseUser, cursor: NewsCursor) -> bool:
    """Return False for a cursor ahead of the database: forged, or from before a restore."""
    newest = head(user)
    return cursor.posting <= newest.posting and cursor.notification <= newest.notification


def news(
    user: AbstractBaseUser, after: NewsCursor
) -> list[tuple[Movement | Notification, NewsCursor]]:
    """Return up to MOST_NEWS rows, oldest first, each with the cursor behind it."""
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
