"""What happened to a person: the private stream."""

from __future__ import annotations

import re
from typing import Any, Final, NamedTuple

from django.contrib.auth.base_user import AbstractBaseUser
from django.db.models import F, Max

from markets.amounts import to_text
from markets.models import Account, Notification, Posting, Trade
from markets.selectors import portfolio
from markets.selectors.markets import time_text

MOST: Final = 500  # messages in one read


class Position(NamedTuple):
    """The newest posting and the newest notification that somebody knows of. Written `12.7`."""

    posting: int
    notification: int

    def __str__(self) -> str:
        return f"{self.posting}.{self.notification}"

    @staticmethod
    def parse(text: str | None) -> Position | None:
        """None for what is not a position."""
        match = re.fullmatch(r"([0-9]{1,18})\.([0-9]{1,18})", text or "", re.ASCII)
        return Position(int(match[1]), int(match[2])) if match else None


def heads(user_ids: list[int]) -> dict[int, Position]:
    """Where each person stands."""
    postings = dict(Account.objects.filter(user__in=user_ids).annotate(last=Max("postings__id")).values_list("user_id", "last"))
    told = dict(
        Notification.objects.filter(user__in=user_ids)
        .order_by()
        .values("user")
        .annotate(last=Max("id"))
        .values_list("user", "last")
    )
    return {pk: Position(postings.get(pk) or 0, told.get(pk) or 0) for pk in user_ids}


def can_follow(user: AbstractBaseUser, position: Position) -> bool:
    """Whether the person has come as far as `position`; what is of another database or made up may lie ahead."""
    reached = heads([user.pk])[user.pk]
    return position.posting <= reached.posting and position.notification <= reached.notification


def snapshot(user: AbstractBaseUser) -> tuple[dict[str, Any], Position]:
    """The person's balance, and the position that it is of. Later news may repeat it, and never miss anything."""
    position = heads([user.pk])[user.pk]
    summary = portfolio.summary(user)
    return {"type": "snapshot", "user_id": user.pk, **summary}, position


def news(user: AbstractBaseUser, after: Position) -> list[tuple[dict[str, Any], Position]]:
    """Up to MOST messages behind `after`, oldest first, each with the position that it leads to."""
    found: list[tuple[dict[str, Any], Position]] = []
    postings = Posting.objects.filter(account__user_id=user.pk, id__gt=after.posting).select_related("entry").order_by("id")
    listed = list(postings[:MOST])
    fills = {trade.entry_id: trade for trade in Trade.objects.filter(entry__in=[posting.entry_id for posting in listed])}
    for posting in listed:
        after = after._replace(posting=posting.pk)
        found.append((_moved(posting, fills.get(posting.entry_id)), after))
    told = Notification.objects.filter(user_id=user.pk, id__gt=after.notification).order_by("id")
    for notification in told.annotate(market_id=F("event__market_id"))[: MOST - len(found)]:
        after = after._replace(notification=notification.pk)
        found.append((_told(notification), after))
    return found


def _moved(posting: Posting, trade: Trade | None) -> dict[str, Any]:
    facts = {"at": time_text(posting.entry.at), "market_id": posting.entry.market_id, "balance": to_text(posting.balance)}
    if trade is not None:
        return {"type": "fill", **facts, "trade": portfolio.present_own_trade(trade)}
    return {
        "type": "balance",
        **facts,
        "kind": posting.entry.kind,
        "amount": to_text(posting.amount),
        "note": posting.entry.note,
    }


def _told(notification: Any) -> dict[str, Any]:
    facts = {"at": time_text(notification.created_at), "market_id": notification.market_id}
    return {"type": "notification", **facts, "id": notification.pk, "text": notification.text}
