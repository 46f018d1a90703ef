"""A market's life: draft → scheduled → active ⇄ paused → closed → resolved, and cancelled from any state before resolved."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from django.contrib.auth.base_user import AbstractBaseUser
from django.db import transaction

from markets import events
from markets.errors import IllegalTransition, Invalid, NotFound, VersionConflict
from markets.event_types import EventType
from markets.models import Market, Status
from markets.services import wording

Actor = AbstractBaseUser | None

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


def lock(market_id: int, expected_version: int | None = None) -> Market:
    """The market's row, locked until the transaction ends. Raises NotFound, and VersionConflict for an overtaken edit."""
    market = Market.objects.select_for_update(of=("self",)).defer("search_vector").filter(pk=market_id).first()
    if market is None:
        raise NotFound("market", market_id)
    if expected_version is not None and expected_version != market.version:
        raise VersionConflict(expected_version, market.version)
    return market


def move(market: Market, verb: str, *, actor: Actor, now: datetime, **payload: object) -> None:
    """Take a locked market to the state that `verb` leads to, and record it. Raises IllegalTransition."""
    starts, end, event = MOVES[verb]
    if market.status not in starts:
        raise IllegalTransition(verb, market.status, list(starts))
    before, market.status = market.status, end
    market.version += 1
    market.save(update_fields=["status", "version", "open_at", "close_at"])
    events.record(market, event, actor=actor, now=now, **{"from": before, "status": end, **payload})


def schedule_market(*, market_id: int, actor: Actor, now: datetime, expected_version: int | None = None) -> Market:
    """Announce a draft; it opens by itself at `open_at`, which must lie ahead."""
    with transaction.atomic(durable=True):
        market = lock(market_id, expected_version)
        if market.open_at is None or market.open_at <= now:
            raise Invalid(open_at="To schedule a market, set an opening time that lies ahead.")
        move(market, "schedule", actor=actor, now=now)
    return market


def open_market(*, market_id: int, actor: Actor, now: datetime, expected_version: int | None = None) -> Market:
    """Let people trade, from now on. Also ends a pause."""
    with transaction.atomic(durable=True):
        market = lock(market_id, expected_version)
        if market.close_at is not None and market.close_at <= now:
            raise Invalid(close_at="Its closing time has passed: set a later one first.")
        if market.status != Status.PAUSED and (market.open_at is None or market.open_at > now):
            market.open_at = now
        move(market, "open", actor=actor, now=now)
    return market


def pause_market(*, market_id: int, actor: Actor, now: datetime, expected_version: int | None = None) -> Market:
    """Stop trading for the time being."""
    with transaction.atomic(durable=True):
        market = lock(market_id, expected_version)
        move(market, "pause", actor=actor, now=now)
    return market


def close_market(*, market_id: int, actor: Actor, now: datetime, expected_version: int | None = None) -> Market:
    """End trading for good. A market closed ahead of its time closes now."""
    with transaction.atomic(durable=True):
        market = lock(market_id, expected_version)
        if market.close_at is None or market.close_at > now:
            market.close_at = now
        move(market, "close", actor=actor, now=now)
    return market


def cancel_market(
    *, market_id: int, actor: Actor, now: datetime, expected_version: int | None = None, note: str = ""
) -> Market:
    """Call the market off."""
    with transaction.atomic(durable=True):
        market = lock(market_id, expected_version)
        move(market, "cancel", actor=actor, now=now, note=wording.body("note", note))
    return market
