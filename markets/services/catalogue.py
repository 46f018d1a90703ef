"""Writing markets: create and edit."""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Sequence
from datetime import datetime
from itertools import count
from typing import Any, Final, TypeVar

from django.db import connection, transaction
from django.db.models import Q
from django.utils.text import slugify

from markets import events
from markets.amounts import LARGEST, MICRO, to_text
from markets.errors import IllegalTransition, Invalid
from markets.event_types import EventType
from markets.models import Category, Market, Outcome, Status, Tag
from markets.models.market import NAME_LENGTH, SLUG_LENGTH
from markets.selectors.markets import time_text
from markets.services import ledger, lifecycle, wording
from markets.services.actor import Actor
from markets.services.wording import DEFAULT_OUTCOMES, OutcomeDraft

S = TypeVar("S", Category, Tag)

FIRST_YEAR: Final = 1900  # PostgreSQL, JSON clients and calendars agree on the years between
LAST_YEAR: Final = 9000
DEFAULT_LIQUIDITY: Final = 100 * MICRO
BEFORE_TRADING: Final = (Status.DRAFT, Status.SCHEDULED)
EDITABLE: Final = (*BEFORE_TRADING, Status.ACTIVE, Status.PAUSED, Status.CLOSED)


def create_market(*, actor: Actor, now: datetime, **facts: Any) -> Market:
    """Create a market (see `add_market` for the facts) in a transaction of its own."""
    with transaction.atomic(durable=True):
        return add_market(actor=actor, now=now, **facts)


def add_market(
    *,
    actor: Actor,
    now: datetime,
    name: str,
    description: str = "",
    resolution_criteria: str = "",
    outcomes: Sequence[OutcomeDraft] = DEFAULT_OUTCOMES,
    category: str | None = None,
    tags: Sequence[str] = (),
    liquidity: int = DEFAULT_LIQUIDITY,
    open_at: datetime | None = None,
    close_at: datetime | None = None,
    status: str = Status.DRAFT,
    external_id: str | None = None,
    source_url: str = "",
    imported: bool = False,
) -> Market:
    """Create a market inside the caller's transaction and take it to `status` (draft, scheduled, active or closed).

    `liquidity` in micro-shares; `category` and `tags` by name, made when new; `imported` is told to the world. Raises Invalid.
    """
    if status not in {Status.DRAFT, Status.SCHEDULED, Status.ACTIVE, Status.CLOSED}:
        raise Invalid(status="A new market is draft, scheduled, active or closed.")
    name = wording.line("name", name, most=NAME_LENGTH)
    priors = wording.outcomes(outcomes)
    _check_dates(open_at, close_at)
    if status == Status.SCHEDULED and (open_at is None or open_at <= now):
        raise Invalid(open_at="A scheduled market needs an opening time that lies ahead.")
    if status == Status.ACTIVE:
        if open_at is not None and open_at > now:
            raise Invalid(open_at="An active market cannot open later: create it as scheduled.")
        if close_at is not None and close_at <= now:
            raise Invalid(close_at="Its closing time has passed: create it as closed, or set a later time.")
        open_at = open_at or now
    market = Market.objects.create(
        slug=_free_slug(name),
        name=name,
        description=wording.body("description", description),
        resolution_criteria=wording.body("resolution_criteria", resolution_criteria),
        status=status,
        category=find_category(category) if category else None,
        liquidity=_checked_liquidity(liquidity),
        open_at=open_at,
        close_at=close_at,
        external_id=external_id,
        source_url=wording.link("source_url", source_url),
        created_at=now,
        updated_at=now,
        active_at=now,
        created_by_id=actor.pk if actor else None,
        public=status != Status.DRAFT,
    )
    Outcome.objects.bulk_create(
        Outcome(market=market, position=i, label=label, probability=prior) for i, (label, prior) in enumerate(priors)
    )
    market.tags.set(find_tags(tags))
    if status == Status.ACTIVE:
        ledger.fund(market, actor=actor, now=now)
    facts = {"name": name, "slug": market.slug, "status": status, "imported": imported}
    events.record(market, EventType.CREATED, actor=actor, now=now, **facts)
    return market


def edit_market(
    *, market_id: int, actor: Actor, now: datetime, changes: dict[str, Any], expected_version: int | None = None
) -> Market:
    """Change what a market says. `changes` holds any of `add_market`'s facts but status.

    Liquidity and the number and priors of outcomes are fixed once trading can have begun; labels may still be corrected.
    Nothing is recorded when nothing differs. Raises Invalid, VersionConflict, IllegalTransition.
    """
    with transaction.atomic(durable=True):
        market = lifecycle.lock(market_id, expected_version)
        if market.status not in EDITABLE:
            raise IllegalTransition("edit", market.status, list(EDITABLE))
        difference: dict[str, dict[str, Any]] = {}
        for field, value in _clean(changes).items():
            before, after = _apply(market, field, value)
            if before != after:
                difference[field] = {"from": before, "to": after}
        _check_times(market, difference, now)
        if difference:
            market.version += 1
            market.save(update_fields=[*_COLUMNS, "version"])
            events.record(market, EventType.UPDATED, actor=actor, now=now, changes=difference)
    return market


def _check_times(market: Market, difference: Container[str], now: datetime) -> None:
    """Raise Invalid when an edit gives the market times that do not fit its state."""
    _check_dates(market.open_at, market.close_at)
    if "open_at" in difference:
        _before_trading(market, "open_at")
        if market.status == Status.SCHEDULED and (market.open_at is None or market.open_at <= now):
            raise Invalid(open_at="A scheduled market needs an opening time that lies ahead; to open it now, open it.")
    if "close_at" in difference:
        if market.status == Status.CLOSED:
            raise Invalid(close_at="The market has closed already.")
        if market.status not in BEFORE_TRADING and market.close_at is not None and market.close_at <= now:
            raise Invalid(close_at="To end trading now, close the market.")


_COLUMNS: Final = (
    "name", "description", "resolution_criteria", "category", "liquidity", "open_at", "close_at", "source_url"
)  # fmt: skip


def _clean(changes: dict[str, Any]) -> dict[str, Any]:
    """The changes with every value checked and in the form the model holds."""
    checks: dict[str, Callable[[Any], Any]] = {
        "name": lambda value: wording.line("name", value, most=NAME_LENGTH),
        "description": lambda value: wording.body("description", value),
        "resolution_criteria": lambda value: wording.body("resolution_criteria", value),
        "category": lambda value: find_category(value) if value else None,
        "tags": find_tags,
        "liquidity": _checked_liquidity,
        "open_at": lambda value: value,
        "close_at": lambda value: value,
        "source_url": lambda value: wording.link("source_url", value),
        "outcomes": wording.outcomes,
    }
    return {field: checks[field](value) for field, value in changes.items()}


def _apply(market: Market, field: str, value: Any) -> tuple[Any, Any]:
    """Set one field on the locked market; gives its plain values before and after."""
    if field == "tags":
        before = sorted(tag.slug for tag in market.tags.all())
        market.tags.set(value)
        return before, sorted(tag.slug for tag in value)
    if field == "outcomes":
        return _apply_outcomes(market, value)
    old = getattr(market, field)
    if field == "liquidity" and old != value:
        _before_trading(market, "liquidity")
    setattr(market, field, value)
    plain: dict[str, Callable[[Any], Any]] = {
        "liquidity": to_text,
        "open_at": time_text,
        "close_at": time_text,
        "category": lambda c: c and c.slug,
    }
    show = plain.get(field, lambda text: text)
    return show(old), show(value)


def _apply_outcomes(market: Market, wanted: list[tuple[str, int]]) -> tuple[Any, Any]:
    rows = list(market.outcomes.all())
    held = [(row.label, row.probability) for row in rows]
    if [prior for _, prior in held] != [prior for _, prior in wanted]:
        _before_trading(market, "outcomes")
        market.outcomes.all().delete()
        Outcome.objects.bulk_create(
            Outcome(market=market, position=i, label=label, probability=prior) for i, (label, prior) in enumerate(wanted)
        )
    else:
        for row, (label, _) in zip(rows, wanted, strict=True):
            row.label = label
        Outcome.objects.bulk_update(rows, ["label"])

    def show(outcomes: list[tuple[str, int]]) -> list[dict[str, str]]:
        return [{"label": label, "probability": to_text(prior)} for label, prior in outcomes]

    return show(held), show(wanted)


def _before_trading(market: Market, field: str) -> None:
    if market.status not in BEFORE_TRADING:
        raise Invalid(**{field: f"This cannot change once a market has opened; only labels can. It is {market.status}."})


def _check_dates(open_at: datetime | None, close_at: datetime | None) -> None:
    for field, at in (("open_at", open_at), ("close_at", close_at)):
        if at is not None and not FIRST_YEAR <= at.year <= LAST_YEAR:
            raise Invalid(**{field: f"Give a year between {FIRST_YEAR} and {LAST_YEAR}."})
    if open_at is not None and close_at is not None and close_at <= open_at:
        raise Invalid(close_at="The closing time must lie after the opening time.")


def _checked_liquidity(liquidity: int) -> int:
    if not MICRO <= liquidity <= LARGEST // 1000:
        raise Invalid(liquidity=f"Liquidity is between 1 and {to_text(LARGEST // 1000)} shares.")
    return liquidity


def _free_slug(name: str) -> str:
    """The name as a slug, with a number behind it when it is taken. One writer at a time looks for the same slug."""
    base = slugify(name)[: SLUG_LENGTH - 8].strip("-_") or "market"
    family = re.sub(r"(-[0-9]+)+$", "", base)  # "race" may become "race-2", which another market may be called
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"slug:{family}"])
    markets = Market.objects.order_by()
    if not markets.filter(slug=base).exists():
        return base
    numbered = markets.filter(slug__startswith=f"{base}-", slug__regex=f"^{base}-[0-9]+$")
    taken = set(numbered.values_list("slug", flat=True))
    return next(slug for number in count(2) if (slug := f"{base}-{number}") not in taken)


def find_category(name: str) -> Category:
    """The category of this name (or slug), made when new."""
    name = wording.line("category", name, most=80)
    return _shelf(Category, "category", name)


def find_tags(names: Sequence[str]) -> list[Tag]:
    """The tags of these names (or slugs), made when new."""
    if len(names) > wording.MOST_TAGS:
        raise Invalid(tags=f"A market has at most {wording.MOST_TAGS} tags.")
    return list({tag.pk: tag for tag in (_shelf(Tag, "tags", wording.line("tags", n, most=80)) for n in names)}.values())


def _shelf(kind: type[S], field: str, name: str) -> S:
    slug = wording.slug(field, name)
    shelves = kind._default_manager
    return shelves.filter(Q(slug=slug) | Q(name=name)).first() or shelves.get_or_create(slug=slug, defaults={"name": name})[0]
