"""A trade, as everybody sees it and as its trader does."""

from typing import Any

from markets.domain.amounts import MICRO, to_text
from markets.domain.time import time_text
from markets.models import Position, Trade


def present_trade(trade: Trade) -> dict[str, Any]:
    """Return a trade as everybody may see it: it does not say whose it was."""
    return {
        "id": trade.pk,
        "market_id": trade.market_id,
        "outcome_id": trade.outcome_id,
        "side": trade.side,
        "shares": to_text(trade.shares),
        "cost": to_text(trade.cost),
        "average_price": to_text(round(trade.cost * MICRO / trade.shares)),
        "price_before": to_text(trade.price_before),
        "price_after": to_text(trade.price_after),
        "seq": trade.seq,
        "at": time_text(trade.at),
    }


def present_own_trade(trade: Trade) -> dict[str, Any]:
    """Return a trade as its trader sees it."""
    return {**present_trade(trade), "client_order_id": trade.client_order_id}


def present_placed(trade: Trade, held: Position, balance: int) -> dict[str, Any]:
    """Return the answer to an order: the trade, what its trader holds now, and their balance in micro-credits."""
    position = {
        "outcome_id": held.outcome_id,
        "shares": to_text(held.shares),
        "cost_basis": to_text(held.cost_basis),
        "realised_profit": to_text(held.realised),
    }
    return {"trade": present_own_trade(trade), "position": position, "balance": to_text(balance)}
