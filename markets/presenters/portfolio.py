"""What belongs to one user."""

from collections import Counter
from collections.abc import Iterable
from typing import Any

from django.contrib.auth.base_user import AbstractBaseUser

from markets.domain.amounts import MICRO, to_text
from markets.domain.time import time_text
from markets.models import ApiKey, Notification, Position, Posting, Status, Trade
from markets.presenters.trading import present_own_trade


def figures(position: Position) -> dict[str, int]:
    """In millionths. A settled position has no value left."""
    market = position.market
    price = next(price for outcome, price in market.priced() if outcome.pk == position.outcome_id)
    settled = market.status in {Status.RESOLVED, Status.CANCELLED}
    value = 0 if settled else position.shares * price // MICRO
    paid = position.payout - position.cost_basis if market.status == Status.RESOLVED else 0
    return {
        "price": price,
        "value": value,
        "open_profit": 0 if settled else value - position.cost_basis,
        "realised_profit": position.realised + paid,
    }


def present_position(position: Position) -> dict[str, Any]:
    """At current prices. `payout` is what a settled one paid."""
    market = position.market
    return {
        "market_id": market.pk,
        "slug": market.slug,
        "name": market.name,
        "status": market.status,
        "outcome_id": position.outcome_id,
        "label": position.outcome.label,
        "shares": to_text(position.shares),
        "cost_basis": to_text(position.cost_basis),
        **{name: to_text(amount) for name, amount in figures(position).items()},
        "payout": to_text(position.payout),
    }


def present_summary(
    user: AbstractBaseUser, balance: int, positions: Iterable[Position]
) -> dict[str, Any]:
    """`balance` is in micro-credits."""
    total = Counter[str]()
    for position in positions:
        total.update(figures(position))
    return {
        "id": user.pk,
        "username": user.get_username(),
        "balance": to_text(balance),
        "positions_value": to_text(total["value"]),
        "open_profit": to_text(total["open_profit"]),
        "realised_profit": to_text(total["realised_profit"]),
    }


def present_posting(posting: Posting) -> dict[str, Any]:
    entry = posting.entry
    return {
        "id": posting.pk,
        "at": time_text(entry.at),
        "kind": entry.kind,
        "market_id": entry.market_id,
        "note": entry.note,
        "amount": to_text(posting.amount),
        "balance": to_text(posting.balance),
    }


def present_statement_row(posting: Posting) -> dict[str, Any]:
    """Return what one's own file says."""
    trade = getattr(posting.entry, "trade", None)
    market = posting.entry.market
    return {
        **present_posting(posting),
        "market": market.name if market else "",
        "side": trade.side if trade else "",
        "outcome": trade.outcome.label if trade else "",
        "shares": to_text(trade.shares) if trade else "",
    }


def present_movement(posting: Posting, trade: Trade | None) -> dict[str, Any]:
    """Return a posting as a `fill` if a trade caused it, otherwise as a `balance`."""
    entry = posting.entry
    common = {
        "at": time_text(entry.at),
        "market_id": entry.market_id,
        "balance": to_text(posting.balance),
    }
    if trade is not None:
        return {"type": "fill", **common, "trade": present_own_trade(trade)}
    amount = to_text(posting.amount)
    return {"type": "balance", **common, "kind": entry.kind, "amount": amount, "note": entry.note}


def present_notification(notification: Notification) -> dict[str, Any]:
    return {
        "type": "notification",
        "at": time_text(notification.created_at),
        "market_id": notification.event.market_id,
        "id": notification.pk,
        "text": notification.text,
    }


def present_key(key: ApiKey) -> dict[str, Any]:
    """Without its secret."""
    return {
        "id": key.pk,
        "name": key.name,
        "prefix": f"bw_{key.prefix}",
        "scopes": key.scopes,
        "created_at": time_text(key.created_at),
        "expires_at": time_text(key.expires_at),
        "revoked_at": time_text(key.revoked_at),
        "last_used_at": time_text(key.last_used_at),
    }
