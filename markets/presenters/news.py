"""What the private stream tells a person: fills, movements of their balance, notifications."""

from typing import Any

from markets.domain.amounts import to_text
from markets.domain.time import time_text
from markets.models import Notification, Posting, Trade
from markets.presenters.trade import present_own_trade


def present_movement(posting: Posting, trade: Trade | None) -> dict[str, Any]:
    """Return a movement of the person's money: a `fill` when a trade of theirs made it, otherwise a `balance`."""
    entry = posting.entry
    known = {
        "at": time_text(entry.at),
        "market_id": entry.market_id,
        "balance": to_text(posting.balance),
    }
    if trade is not None:
        return {"type": "fill", **known, "trade": present_own_trade(trade)}
    return {
        "type": "balance",
        **known,
        "kind": entry.kind,
        "amount": to_text(posting.amount),
        "note": entry.note,
    }


def present_notification(notification: Notification) -> dict[str, Any]:
    """Return what the person was told. The row comes with its event."""
    return {
        "type": "notification",
        "at": time_text(notification.created_at),
        "market_id": notification.event.market_id,
        "id": notification.pk,
        "text": notification.text,
    }
