from collections.abc import Iterable
from typing import Any

from django.contrib.auth.base_user import AbstractBaseUser

from markets.domain.amounts import MICRO, to_text
from markets.domain.time import time_text
from markets.models import Position, Posting, Status

SETTLED = {Status.RESOLVED, Status.CANCELLED}


def _figures(position: Position) -> dict[str, int]:
    """Return price, value and profit in millionths. A settled position has no value left."""
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
    """Return a position at current prices. `payout` is what a settled one paid."""
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


def present_summary(
    user: AbstractBaseUser, balance: int, positions: Iterable[Position]
) -> dict[str, Any]:
    """Return the balance, given in micro-credits, with total value and profit."""
    figures = [_figures(position) for position in positions]
    return {
        "id": user.pk,
        "username": user.get_username(),
        "balance": to_text(balance),
        "positions_value": to_text(sum(position["value"] for position in figures)),
        "open_profit": to_text(sum(position["open_profit"] for position in figures)),
        "realised_profit": to_text(sum(position["realised_profit"] for position in figures)),
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
