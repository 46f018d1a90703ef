from typing import Any

from markets.domain.amounts import MICRO, to_text
from markets.domain.orders import Quote, Settlement
from markets.domain.time import time_text
from markets.models import Position, Trade
from markets.selectors.history import Bar, PricePoint


def present_quote(quote: Quote, seq: int) -> dict[str, Any]:
    """`seq` is the market's, for which the quote holds."""
    return {
        "shares": to_text(quote.shares),
        "cost": to_text(quote.cost),
        "average_price": to_text(quote.average_price),
        "price_before": to_text(quote.before[quote.index]),
        "price_after": to_text(quote.after[quote.index]),
        "seq": seq,
    }


def present_trade(trade: Trade) -> dict[str, Any]:
    """Without its trader."""
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
    return {**present_trade(trade), "client_order_id": trade.client_order_id}


def present_placed(trade: Trade, held: Position, balance: int) -> dict[str, Any]:
    """`balance` is in micro-credits."""
    position = {
        "outcome_id": held.outcome_id,
        "shares": to_text(held.shares),
        "cost_basis": to_text(held.cost_basis),
        "realised_profit": to_text(held.realised),
    }
    return {"trade": present_own_trade(trade), "position": position, "balance": to_text(balance)}


def present_point(point: PricePoint) -> dict[str, Any]:
    prices = {str(outcome_id): to_text(price) for outcome_id, price in point.prices.items()}
    return {"at": time_text(point.at), "prices": prices}


def present_bar(bar: Bar) -> dict[str, Any]:
    names = ("open", "high", "low", "close", "volume")
    return {"start": time_text(bar.start), **{name: to_text(getattr(bar, name)) for name in names}}


def present_settlement(settlement: Settlement) -> dict[str, Any]:
    sums = sorted(settlement.payouts.items())
    payouts = [{"user_id": user_id, "amount": to_text(amount)} for user_id, amount in sums]
    return {"dry_run": True, "payouts": payouts, "returned": to_text(settlement.returned)}
