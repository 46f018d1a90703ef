"""A market's life: draft → scheduled → active ⇄ paused → closed → resolved, or cancelled."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from django.db import transaction

from markets import events
from markets.domain.errors import (
    IllegalTransition,
    Invalid,
    NotFound,
    PreviewOutdated,
    VersionConflict,
)
from markets.events import payloads
from markets.infra.database import busy_when_locked
from markets.models import Market, Status
from markets.selectors import timeline
from markets.services import Actor, ledger
from markets.services.slugs import free_slug


class Move(NamedTuple):
    """The statuses that allow it, the status after it, and its event."""

    starts: tuple[Status, ...]
    end: Status
    payload: Callable[..., payloads.StatusChanged]


BEFORE_TRADING: Final = (Status.DRAFT, Status.SCHEDULED)
LIVE: Final = (Status.ACTIVE, Status.PAUSED)
UNSETTLED: Final = (*BEFORE_TRADING, *LIVE, Status.CLOSED)
MOVES: Final = {
    "schedule": Move((Status.DRAFT,), Status.SCHEDULED, payloads.Scheduled),
    "open": Move((*BEFORE_TRADING, Status.PAUSED), Status.ACTIVE, payloads.Opened),
    "pause": Move((Status.ACTIVE,), Status.PAUSED, payloads.Paused),
    "close": Move(LIVE, Status.CLOSED, payloads.Closed),
    "resolve": Move((Status.CLOSED, *LIVE), Status.RESOLVED, payloads.Resolved),
    "unresolve": Move((Status.RESOLVED,), Status.CLOSED, payloads.Unresolved),
    "cancel": Move(UNSETTLED, Status.CANCELLED, payloads.Cancelled),
}


def lock(
    market_id: int,
    expected_version: int | None = None,
    *,
    expected_seq: int | None = None,
    verb: str | None = None,
) -> Market:
    """Return the market, its row locked until the transaction ends.

    Raise NotFound, Busy, VersionConflict, PreviewOutdated unless it stands at `expected_seq`, and
    IllegalTransition unless its status allows `verb`.
    """
    with busy_when_locked():
        rows = Market.objects.select_for_update(of=("self",)).defer("search_vector")
        market = rows.filter(pk=market_id).first()
    if market is None:
        raise NotFound("market", market_id)
    if expected_version is not None and expected_version != market.version:
        raise VersionConflict(expected_version, market.version)
    if verb is not None and market.status not in MOVES[verb].starts:
        raise IllegalTransition(verb, market.status, list(MOVES[verb].starts))
    if (
        expected_seq is not None
        and expected_seq != market.seq
        and not timeline.last_seq(market) <= expected_seq < market.seq  # talk alone came after it
    ):
        raise PreviewOutdated
    return market


@contextmanager
def moving(
    verb: str,
    market_id: int,
    version: int | None,
    actor: Actor,
    now: datetime,
    *,
    expected_seq: int | None = None,
    **payload: object,
) -> Iterator[Market]:
    """Move a market in a transaction of its own: the body checks and changes the locked market.

    A draft that becomes public gets the slug of its name, and its public log begins. Raise as
    `lock` does.
    """
    with transaction.atomic(durable=True):
        market = lock(market_id, version, expected_seq=expected_seq, verb=verb)
        yield market
        before, market.status = market.status, MOVES[verb].end
        market.version += 1
        if not market.public and market.status != Status.CANCELLED:
            market.public, market.public_from = True, market.seq + 1
            market.slug = free_slug(market.name, held=market.slug)
        columns = ["status", "version", "public", "public_from", "slug", "open_at", "close_at"]
        market.save(update_fields=columns)
        event = MOVES[verb].payload(from_=before, status=market.status, **payload)
        events.record(market, event, actor=actor, now=now)


def check_move(verb: str, market: Market, now: datetime) -> None:
    """Raise Invalid where the market's times do not allow to open or schedule it."""
    if verb == "schedule" and (market.open_at is None or market.open_at <= now):
        raise Invalid(open_at="To schedule a market, set an opening time in the future.")
    if verb == "open" and market.close_at is not None and market.close_at <= now:
        raise Invalid(close_at="The closing time has passed: set a later one first.")


def schedule_market(
    *, market_id: int, actor: Actor, now: datetime, expected_version: int | None = None
) -> Market:
    """Announce a draft, which the clock opens at `open_at`."""
    with moving("schedule", market_id, expected_version, actor, now) as market:
        check_move("schedule", market, now)
    return market


def open_market(
    *, market_id: int, actor: Actor, now: datetime, expected_version: int | None = None
) -> Market:
    """Start trading, or end a pause."""
    with moving("open", market_id, expected_version, actor, now) as market:
        check_move("open", market, now)
        if market.status != Status.PAUSED:
            market.open_at = now if market.open_at is None else min(market.open_at, now)
            ledger.fund(market, actor=actor, now=now)
    return market


def pause_market(
    *, market_id: int, actor: Actor, now: datetime, expected_version: int | None = None
) -> Market:
    """Stop trading for now."""
    with moving("pause", market_id, expected_version, actor, now) as market:
        return market


def close_market(
    *, market_id: int, actor: Actor, now: datetime, expected_version: int | None = None
) -> Market:
    """End trading. A `close_at` in the future becomes now."""
    with moving("close", market_id, expected_version, actor, now) as market:
        if market.close_at is None or market.close_at > now:
            # later than `open_at`, even when the clock of another server is ahead
            opened = market.open_at + timedelta(microseconds=1) if market.open_at else now
            market.close_at = max(now, opened)
    return market
