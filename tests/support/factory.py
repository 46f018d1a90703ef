"""Markets and trades, made through the services as staff and traders make them."""

from __future__ import annotations

import random
from datetime import datetime
from typing import Any

from django.utils import timezone

from markets.domain.amounts import MICRO
from markets.domain.orders import Order
from markets.models import Account, Event, JournalEntry, Market, Outcome, Position, Posting, Trade
from markets.services import catalogue, lifecycle, resolution, trading
from tests.support.clock import LATER, NOW


def make_market(name: str = "Will it rain?", **facts: Any) -> Market:
    facts.setdefault("status", "active")
    actor, now = facts.pop("actor", None), facts.pop("now", NOW)
    return catalogue.create_market(actor=actor, now=now, name=name, **facts)


def make_market_that_is(status: str, name: str = "Will it rain?", **facts: Any) -> Market:
    """Brought to the status by the moves that lead there."""
    if status in {"draft", "active", "closed"}:
        return make_market(name, status=status, **facts)
    if status == "scheduled":
        return make_market(name, status=status, **{"open_at": LATER, **facts})
    market = make_market(name, **facts)
    if status == "resolved":
        return resolve(market, yes=MICRO)
    if status == "paused":
        return lifecycle.pause_market(market_id=market.pk, actor=None, now=NOW)
    return resolution.cancel_market(market_id=market.pk, actor=None, now=NOW)


def rename(market: Market, *names: str, reason: str = "") -> None:
    """One edit after the other. A market with trades needs a reason."""
    ids: dict[str, Any] = {"market_id": market.pk, "actor": None, "now": NOW, "reason": reason}
    for name in names:
        catalogue.edit_market(changes={"name": name}, **ids)


def edit_now(market: Market, *, reason: str = "", **changes: Any) -> None:
    """An edit at the real time, for what looks at the clock."""
    now = timezone.now()
    catalogue.edit_market(market_id=market.pk, actor=None, now=now, changes=changes, reason=reason)


def yes_no(market: Market) -> list[Outcome]:
    return list(market.outcomes.all())


def order(outcome: Outcome, side: str = "buy", **facts: Any) -> Order:
    return Order(outcome_id=outcome.pk, side=side, **(facts or {"shares": 10 * MICRO}))


def trade(
    trader: Any, market: Market, what: Order, key: str | None = None, now: datetime = NOW
) -> tuple[Trade, bool]:
    key = key or f"order-{random.random()}"
    return trading.place_trade(
        market_id=market.pk, trader=trader, order=what, client_order_id=key, now=now
    )


def resolve(market: Market, **weights: int) -> Market:
    """By the labels of its outcomes, in small letters."""
    ids = {outcome.label.lower(): outcome.pk for outcome in yes_no(market)}
    return resolution.resolve_market(
        market_id=market.pk, actor=None, now=NOW, weights={ids[k]: v for k, v in weights.items()}
    )


def balance(user: Any) -> int:
    return Account.objects.get(user=user).balance


def state() -> list[Any]:
    """All that a refused trade must not touch."""
    rows = lambda model: list(model.objects.order_by("pk").values_list())
    return [rows(model) for model in (Account, JournalEntry, Posting, Trade, Position)] + [
        list(Market.objects.values_list("pk", "seq", "volume", "trade_count")), Event.objects.count()
    ]  # fmt: skip
