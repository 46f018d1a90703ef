"""A market's life: draft → scheduled → active ⇄ paused → closed → resolved, and cancelled from any state before resolved."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from django.db import transaction

from markets import events
from markets.errors import IllegalTransition, Invalid, NotFound, VersionConflict
from markets.event_types import EventType
from markets.models import Market, Status
from markets.services import ledger
from markets.services.actor import Actor

_AN_INSTANT: Final = timedelta(microseconds=1)  # a market closes after it opens, whatever the clocks of two servers say

# verb: the states it starts from, the state it leads to, the event it leaves
MOVES: Final = {
    "schedule": ((Status.DRAFT,), Status.SCHEDULED, EventType.SCHEDULED),
    "open": ((Status.DRAFT, Status.SCHEDULED, Status.PAUSED), Status.ACTIVE, EventType.OPENED),
    "pause": ((Status.ACTIVE,), Status.PAUSED, EventType.PAUSED),
    "close": ((Status.ACTIVE, Status.PAUSED), Status.CLOSED, EventType.CLOSED),
    "resolve": ((Status.CLOSED, Status.ACTIVE, Status.PAUSED), Status.RESOLVED, EventType.RESOLVED),
    "unresolve": ((Status.RESOLVED,), Status.CLOSED, EventType.UNRESOLVED),
    "cancel": (
        (Status.DRAFT, Status.SCHEDULED, Status.ACTIVE, Status.PAUSED, Status.CLOSED),
        Status.CANCELLED,
        EventType.CANCELLED,
    ),
}


def lock(market_id: int, expected_version: int | None = None, *, to: str | None = None) -> Market:
    """The market's row, locked until the transaction ends.

    Raises NotFound, VersionConflict for an overtaken edit, and IllegalTransition when the verb `to` is not for its state.
    """
    market = Market.objects.select_for_update(of=("self",)).defer("search_vector").filter(pk=market_id).first()
    if market is None:
        raise NotFound("market", market_id)
    if expected_version is not None and expected_version != market.version:
        raise VersionConflict(expected_version, market.version)
    if to is not None and market.status not in MOVES[to][0]:
        raise IllegalTransition(to, market.status, list(MOVES[to][0]))
    return market


def move(market: Market, verb: str, *, actor: Actor, now: datetime, **payload: object) -> None:
    """Take a market that is locked `to` this verb to the state it leads to, and record it."""
    _, end, event = MOVES[verb]
    before, market.status = market.status, end
    market.version += 1
    market.public = market.public or end not in {Status.DRAFT, Status.CANCELLED}
    market.save(update_fields=["status", "version", "public", "open_at", "close_at"])
    events.record(market, event, actor=actor, now=now, **{"from": before, "status": end, **payload})


def schedule_market(*, market_id: int, actor: Actor, now: datetime, expected_version: int | None = None) -> Market:
    """Announce a draft; it opens by itself at `open_at`, which must lie ahead."""
    with transaction.atomic(durable=True):
        market = lock(market_id, expected_version, to="schedule")
        if market.open_at is None or market.open_at <= now:
            raise Invalid(open_at="To schedule a market, set an opening time that lies ahead.")
        move(market, "schedule", actor=actor, now=now)
    return market


def open_market(*, market_id: int, actor: Actor, now: datetime, expected_version: int | None = None) -> Market:
    """Let people trade, from now on. Also ends a pause."""
    with transaction.atomic(durable=True):
        market = lock(market_id, expected_version, to="open")
        if market.close_at is not None and market.close_at <= now:
            raise Invalid(close_at="Its closing time has passed: set a later one first.")
        if market.status != Status.PAUSED and (market.open_at is None or market.open_at > now):
            market.open_at = now
        if market.status != Status.PAUSED:
            ledger.fund(market, actor=actor, now=now)
        move(market, "open", actor=actor, now=now)
    return market


def pause_market(*, market_id: int, actor: Actor, now: datetime, expected_version: int | None = None) -> Market:
    """Stop trading for the time being."""
    with transaction.atomic(durable=True):
        market = lock(market_id, expected_version, to="pause")
        move(market, "pause", actor=actor, now=now)
    return market


def close_market(*, market_id: int, actor: Actor, now: datetime, expected_version: int | None = None) -> Market:
    """End trading for good. A market closed ahead of its time closes now."""
    with transaction.atomic(durable=True):
        market = lock(market_id, expected_version, to="close")
        if market.close_at is None or market.close_at > now:
            market.close_at = max(now, (market.open_at + _AN_INSTANT) if market.open_at else now)
        move(market, "close", actor=actor, now=now)
    return market
