"""A market's life: draft → scheduled → active ⇄ paused → closed → resolved, cancelled from any state before resolved."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from django.db import transaction

from markets import events
from markets.domain.errors import IllegalTransition, Invalid, NotFound, VersionConflict
from markets.events.payloads import (
    Cancelled,
    Closed,
    Moved,
    Opened,
    Paused,
    Resolved,
    Scheduled,
    Unresolved,
)
from markets.infra.database import busy_when_locked
from markets.models import Market, Status
from markets.services import ledger
from markets.services.actor import Actor
from markets.services.slugs import free_slug

_AN_INSTANT: Final = timedelta(
    microseconds=1
)  # a market closes after it opens, whatever the clocks of two servers say


class Move(NamedTuple):
    """What a verb does: the states it starts from, the state it leads to, and the event it leaves."""

    starts: tuple[Status, ...]
    end: Status
    payload: Callable[..., Moved]


_BEFORE_RESOLVED: Final = (
    Status.DRAFT,
    Status.SCHEDULED,
    Status.ACTIVE,
    Status.PAUSED,
    Status.CLOSED,
)
MOVES: Final = {
    "schedule": Move((Status.DRAFT,), Status.SCHEDULED, Scheduled),
    "open": Move((Status.DRAFT, Status.SCHEDULED, Status.PAUSED), Status.ACTIVE, Opened),
    "pause": Move((Status.ACTIVE,), Status.PAUSED, Paused),
    "close": Move((Status.ACTIVE, Status.PAUSED), Status.CLOSED, Closed),
    "resolve": Move((Status.CLOSED, Status.ACTIVE, Status.PAUSED), Status.RESOLVED, Resolved),
    "unresolve": Move((Status.RESOLVED,), Status.CLOSED, Unresolved),
    "cancel": Move(_BEFORE_RESOLVED, Status.CANCELLED, Cancelled),
}


def lock(market_id: int, expected_version: int | None = None, *, to: str | None = None) -> Market:
    """Return the market's row, locked until the transaction ends.

    Raise NotFound, Busy, VersionConflict for an edit that another one overtook, and IllegalTransition when the verb `to` is not
    for the market's state.
    """
    with busy_when_locked():
        rows = Market.objects.select_for_update(of=("self",)).defer("search_vector")
        market = rows.filter(pk=market_id).first()
    if market is None:
        raise NotFound("market", market_id)
    if expected_version is not None and expected_version != market.version:
        raise VersionConflict(expected_version, market.version)
    if to is not None and market.status not in MOVES[to].starts:
        raise IllegalTransition(to, market.status, list(MOVES[to].starts))
    return market


def move(market: Market, verb: str, *, actor: Actor, now: datetime, **payload: object) -> None:
    """Take a market that is locked `to` this verb to the state it leads to, and record that with the payload's fields.

    A draft that becomes public is named for what it says now, and its public log begins with this event.
    """
    _, end, kind = MOVES[verb]
    before, market.status = market.status, end
    market.version += 1
    if not market.public and end != Status.CANCELLED:
        market.public, market.public_from = True, market.seq + 1
        market.slug = free_slug(market.name, held=market.slug)
    columns = ["status", "version", "public", "public_from", "slug", "open_at", "close_at"]
    market.save(update_fields=columns)
    events.record(market, kind(from_=before, status=end, **payload), actor=actor, now=now)


def schedule_market(
    *, market_id: int, actor: Actor, now: datetime, expected_version: int | None = None
) -> Market:
    """Announce a draft; it opens by itself at `open_at`, which must lie ahead."""
    with transaction.atomic(durable=True):
        market = lock(market_id, expected_version, to="schedule")
        if market.open_at is None or market.open_at <= now:
            raise Invalid(open_at="To schedule a market, set an opening time that lies ahead.")
        move(market, "schedule", actor=actor, now=now)
    return market


def open_market(
    *, market_id: int, actor: Actor, now: datetime, expected_version: int | None = None
) -> Market:
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


def pause_market(
    *, market_id: int, actor: Actor, now: datetime, expected_version: int | None = None
) -> Market:
    """Stop trading for the time being."""
    with transaction.atomic(durable=True):
        market = lock(market_id, expected_version, to="pause")
        move(market, "pause", actor=actor, now=now)
    return market


def close_market(
    *, market_id: int, actor: Actor, now: datetime, expected_version: int | None = None
) -> Market:
    """End trading for good. A market closed ahead of its time closes now."""
    with transaction.atomic(durable=True):
        market = lock(market_id, expected_version, to="close")
        if market.close_at is None or market.close_at > now:
            market.close_at = max(now, (market.open_at + _AN_INSTANT) if market.open_at else now)
        move(market, "close", actor=actor, now=now)
    return market
