from typing import Any

from markets.domain.amounts import to_text
from markets.domain.time import time_text
from markets.models import Notification, Posting, Trade
from markets.presenters.trading import present_own_trade


def present_movement(posting: Posting, trade: Trade | None) -> dict[str, Any]:
    """Return a posting as a `fill`, if a trade caused the posting, otherwise as a `balance`."""
    entry = posting.entry
    common = {
        "at": time_text(entry.at),
        "market_id": entry.market_id,
        "balance": to_text(posting.balance),
    }
    if trade is not None:
        return {"type": "fill", **common, "trade": present_own_trade(trade)}
    return {
        "type": "balance",
        **common,
        "kind": entry.kind,
        "amount": to_text(posting.amount),
        "note": entry.note,
    }


def present_notification(notification: Notification) -> dict[str, Any]:
    """Return a notification that is loaded with its event."""
    return {
        "type": "notification",
        "at": time_text(notification.created_at),
        "market_id": notification.event.market_id,
        "id": notification.pk,
        "text": notification.text,
    }
