"""What a trader has: balance, holdings at current prices, statement."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.base_user import AbstractBaseUser
from django.db.models import QuerySet

from markets.amounts import MICRO, to_text
from markets.models import Account, Position, Posting, Status, Trade
from markets.selectors.markets import time_text

SETTLED = {Status.RESOLVED, Status.CANCELLED}


def balance(user: AbstractBaseUser) -> int:
    """Micro-credits; 0 for somebody without an account."""
    return Account.objects.filter(user_id=user.pk).values_list("balance", flat=True).first() or 0


def positions(user: AbstractBaseUser) -> QuerySet[Position]:
    """The trader's positions with their markets, for `present_position`."""
    held = Position.objects.filter(trader_id=user.pk).select_related("market", "outcome")
    return held.prefetch_related("market__outcomes").defer("market__search_vector", "market__description")


def _figures(position: Position) -> dict[str, int]:
    """Price, value and profit of a position at current prices. A settled one is worth nothing more than it paid."""
    market = position.market
    price = next(price for outcome, price in market.priced() if outcome.pk == position.outcome_id)
    settled = market.status in SETTLED
    value = 0 if settled else position.shares * price // MICRO
    paid = position.payout - position.cost_basis if market.status == Status.RESOLVED else 0
    return {
        "price": price,
        "value": value,
        "open_profit": 0 if settled else value - position.cost_basis,
        "realised_profit": position.realised + paid,
    }


def present_position(position: Position) -> dict[str, Any]:
    """A position at current prices. What a settled one paid is `payout`."""
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
        **{name: to_text(amount) for name, amount in _figures(position).items()},
        "payout": to_text(position.payout),
    }


def summary(user: AbstractBaseUser) -> dict[str, Any]:
    """Balance, the value of what is held, and profit."""
    held = [_figures(position) for position in positions(user)]
    return {
        "id": user.pk,
        "username": user.get_username(),
        "balance": to_text(balance(user)),
        "positions_value": to_text(sum(figures["value"] for figures in held)),
        "open_profit": to_text(sum(figures["open_profit"] for figures in held)),
        "realised_profit": to_text(sum(figures["realised_profit"] for figures in held)),
    }


def present_trade(trade: Trade) -> dict[str, Any]:
    """A trade as everybody may see it."""
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
    """A trade as its trader sees it."""
    return {**present_trade(trade), "client_order_id": trade.client_order_id}


def statement(user: AbstractBaseUser) -> QuerySet[Posting]:
    """Every movement of the trader's money."""
    return Posting.objects.filter(account__user_id=user.pk).select_related("entry")


def present_posting(posting: Posting) -> dict[str, Any]:
    """A line of the statement."""
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
