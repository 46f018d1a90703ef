"""Writing markets: create and edit."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, Required, TypedDict, TypeVar, Unpack

from django.db import transaction
from django.db.models import Q

from markets import events
from markets.domain import text
from markets.domain.amounts import to_text
from markets.domain.errors import IllegalTransition, Invalid
from markets.domain.limits import (
    DEFAULT_LIQUIDITY,
    FIRST_YEAR,
    LAST_YEAR,
    LEAST_LIQUIDITY,
    MOST_LIQUIDITY,
    MOST_TAGS,
    NAME_LENGTH,
    REASON_LENGTH,
    SHELF_LENGTH,
)
from markets.domain.text import DEFAULT_OUTCOMES, OutcomeDraft
from markets.domain.time import time_text
from markets.events.payloads import Created, Updated
from markets.models import Category, Market, Outcome, Status, Tag
from markets.services import ledger, lifecycle
from markets.services.actor import Actor
from markets.services.slugs import free_slug

S = TypeVar("S", Category, Tag)

BEFORE_TRADING: Final = (Status.DRAFT, Status.SCHEDULED)
EDITABLE: Final = (*BEFORE_TRADING, Status.ACTIVE, Status.PAUSED, Status.CLOSED)
MEANING: Final = (
    "outcomes",
    "resolution_criteria",
)  # what people trade on: it changes with a reason, once they have


class _Text(TypedDict, total=False):
    """What can be written about a market, beside its name.

    `liquidity` in micro-shares; `category` and `tags` by name or slug, made when new.
    """

    description: str
    resolution_criteria: str
    source_url: str
    outcomes: Sequence[OutcomeDraft]
    category: str | None
    tags: Sequence[str]
    liquidity: int
    open_at: datetime | None
    close_at: datetime | None


class MarketChanges(_Text, total=False):
    """An edit. A field that is not there stays as it is."""

    name: str


class MarketFacts(_Text, total=False):
    """All that a new market can begin with. A field that is not there gets its default."""

    name: Required[str]
    status: str  # draft (the default), scheduled, active or closed
    external_id: str | None
    imported: bool  # it came with many others; the event says so


def create_market(*, actor: Actor, now: datetime, **facts: Unpack[MarketFacts]) -> Market:
    """Create a market in a transaction of its own. Raise Invalid."""
    with transaction.atomic(durable=True):
        return add_market(actor=actor, now=now, **facts)


def add_market(*, actor: Actor, now: datetime, **facts: Unpack[MarketFacts]) -> Market:
    """Create a market inside the caller's transaction and take it to its status. Raise Invalid."""
    status = facts.get("status", Status.DRAFT)
    open_at, close_at = facts.get("open_at"), facts.get("close_at")
    _check_start(status, open_at, close_at, now)
    if status == Status.ACTIVE:
        open_at = open_at or now
    written: dict[str, Any] = {
        "liquidity": DEFAULT_LIQUIDITY,
        "outcomes": DEFAULT_OUTCOMES,
        "tags": (),
        **{name: facts[name] for name in _CLEANED if name in facts},  # type: ignore[literal-required]
        "open_at": open_at,
    }
    cleaned = _clean(written)
    outcomes, tags = cleaned.pop("outcomes"), cleaned.pop("tags")
    market = Market.objects.create(
        **cleaned,
        slug=free_slug(cleaned["name"]),
        status=status,
        external_id=facts.get("external_id"),
        created_at=now,
        updated_at=now,
        active_at=now,
        created_by_id=actor.pk if actor else None,
        public=status != Status.DRAFT,
        public_from=None if status == Status.DRAFT else 1,
    )
    _add_outcomes(market, outcomes)
    market.tags.set(tags)
    if status == Status.ACTIVE:
        ledger.fund(market, actor=actor, now=now)
    created = Created(
        name=market.name, slug=market.slug, status=status, imported=facts.get("imported", False)
    )
    events.record(market, created, actor=actor, now=now)
    return market


def _check_start(
    status: str, open_at: datetime | None, close_at: datetime | None, now: datetime
) -> None:
    """Raise Invalid when a new market cannot have this status and these times."""
    if status not in {Status.DRAFT, Status.SCHEDULED, Status.ACTIVE, Status.CLOSED}:
        raise Invalid(status="A new market is draft, scheduled, active or closed.")
    _check_dates(open_at, close_at)
    if status == Status.SCHEDULED and (open_at is None or open_at <= now):
        raise Invalid(open_at="A scheduled market needs an opening time that lies ahead.")
    if status == Status.ACTIVE:
        if open_at is not None and open_at > now:
            raise Invalid(open_at="An active market cannot open later: create it as scheduled.")
        if close_at is not None and close_at <= now:
            raise Invalid(
                close_at="Its closing time has passed: create it as closed, or set a later time."
            )


def edit_market(
    *,
    market_id: int,
    actor: Actor,
    now: datetime,
    changes: MarketChanges,
    expected_version: int | None = None,
    reason: str = "",
) -> Market:
    """Change what a market says, in a transaction of its own; see `change_market`."""
    with transaction.atomic(durable=True):
        return change_market(
            market_id=market_id,
            actor=actor,
            now=now,
            changes=changes,
            expected_version=expected_version,
            reason=reason,
        )


def change_market(
    *,
    market_id: int,
    actor: Actor,
    now: datetime,
    changes: MarketChanges,
    expected_version: int | None = None,
    reason: str = "",
) -> Market:
    """Change what a market says, inside the caller's transaction.

    Liquidity and the number and priors of outcomes are fixed once trading can have begun. Once somebody has traded, labels
    and resolution criteria change only with a `reason`, which is recorded and shown. Nothing is recorded when nothing
    differs. Raise Invalid, VersionConflict, IllegalTransition.
    """
    market = lifecycle.lock(market_id, expected_version)
    if market.status not in EDITABLE:
        raise IllegalTransition("edit", market.status, list(EDITABLE))
    difference: dict[str, Mapping[Any, Any]] = {}
    for field, value in _clean(changes).items():
        before, after = _apply(market, field, value)
        if before != after:
            difference[field] = {"from": before, "to": after}
    _check_times(market, difference, now)
    if difference:
        why = _correction(market, difference, reason)
        market.version += 1
        market.save(update_fields=[*_COLUMNS, "version"])
        events.record(market, Updated(changes=difference, reason=why), actor=actor, now=now)
    return market


def _correction(market: Market, difference: Mapping[str, object], reason: str) -> str | None:
    """Return the reason to record, or None where none is needed. Raise Invalid when one is needed and missing."""
    corrected = [field for field in MEANING if field in difference]
    if reason:
        return text.line("reason", reason, most=REASON_LENGTH)
    if corrected and market.trade_count:
        what = " and ".join(field.replace("_", " ") for field in corrected)
        raise Invalid(
            reason=f"People have traded on this: give the reason for which {what} must be corrected."
        )
    return None


def _check_times(market: Market, difference: Mapping[str, object], now: datetime) -> None:
    """Raise Invalid when an edit gives the market times that do not fit its state."""
    _check_dates(market.open_at, market.close_at)
    if "open_at" in difference:
        _before_trading(market, "open_at")
        if market.status == Status.SCHEDULED and (market.open_at is None or market.open_at <= now):
            raise Invalid(
                open_at="A scheduled market needs an opening time that lies ahead; to open it now, open it."
            )
    if "close_at" in difference:
        if market.status == Status.CLOSED:
            raise Invalid(close_at="The market has closed already.")
        if (
            market.status not in BEFORE_TRADING
            and market.close_at is not None
            and market.close_at <= now
        ):
            raise Invalid(close_at="To end trading now, close the market.")


def _same(value: Any) -> Any:
    return value


def _clean(changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return the changes with every value checked and in the form that the model holds. Raise Invalid."""
    return {field: _CLEANED[field](value) for field, value in changes.items()}


def _apply(market: Market, field: str, value: Any) -> tuple[Any, Any]:
    """Set one field on the locked market; return its plain values before and after."""
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
    plain = _PLAIN.get(field, _same)
    return plain(old), plain(value)


def _apply_outcomes(market: Market, wanted: list[tuple[str, int]]) -> tuple[Any, Any]:
    rows = list(market.outcomes.all())
    held = [(row.label, row.probability) for row in rows]
    if [prior for _, prior in held] != [prior for _, prior in wanted]:
        _before_trading(market, "outcomes")
        market.outcomes.all().delete()
        _add_outcomes(market, wanted)
    else:
        for row, (label, _) in zip(rows, wanted, strict=True):
            row.label = label
        Outcome.objects.bulk_update(rows, ["label"])

    def show(outcomes: list[tuple[str, int]]) -> list[dict[str, str]]:
        return [{"label": label, "probability": to_text(prior)} for label, prior in outcomes]

    return show(held), show(wanted)


def _add_outcomes(market: Market, outcomes: Sequence[tuple[str, int]]) -> None:
    Outcome.objects.bulk_create(
        Outcome(market=market, position=position, label=label, probability=prior)
        for position, (label, prior) in enumerate(outcomes)
    )


def _before_trading(market: Market, field: str) -> None:
    """Raise Invalid when the market has opened."""
    if market.status not in BEFORE_TRADING:
        raise Invalid(
            **{
                field: f"This cannot change once a market has opened; only labels can. It is {market.status}."
            }
        )


def _check_dates(open_at: datetime | None, close_at: datetime | None) -> None:
    for field, at in (("open_at", open_at), ("close_at", close_at)):
        if at is not None and not FIRST_YEAR <= at.year <= LAST_YEAR:
            raise Invalid(**{field: f"Give a year between {FIRST_YEAR} and {LAST_YEAR}."})
    if open_at is not None and close_at is not None and close_at <= open_at:
        raise Invalid(close_at="The closing time must lie after the opening time.")


def _checked_liquidity(liquidity: int) -> int:
    if not LEAST_LIQUIDITY <= liquidity <= MOST_LIQUIDITY:
        raise Invalid(liquidity=f"Liquidity is between 1 and {to_text(MOST_LIQUIDITY)} shares.")
    return liquidity


def find_category(name: str) -> Category:
    """Return the category of this name (or slug), made when new. Raise Invalid."""
    return _shelf(Category, "category", text.line("category", name, most=SHELF_LENGTH))


def find_tags(names: Sequence[str]) -> list[Tag]:
    """Return the tags of these names (or slugs), each once, made when new. Raise Invalid."""
    if len(names) > MOST_TAGS:
        raise Invalid(tags=f"A market has at most {MOST_TAGS} tags.")
    tags = [_shelf(Tag, "tags", text.line("tags", name, most=SHELF_LENGTH)) for name in names]
    return list({tag.pk: tag for tag in tags}.values())


def _shelf(kind: type[S], field: str, name: str) -> S:
    slug = text.slug(field, name)
    shelves = kind._default_manager
    known = shelves.filter(Q(slug=slug) | Q(name=name)).first()
    return known or shelves.get_or_create(slug=slug, defaults={"name": name})[0]


# field: how a value is checked and brought into the form that the model holds
_CLEANED: Final[dict[str, Callable[[Any], Any]]] = {
    "name": lambda value: text.line("name", value, most=NAME_LENGTH),
    "description": lambda value: text.body("description", value),
    "resolution_criteria": lambda value: text.body("resolution_criteria", value),
    "source_url": lambda value: text.link("source_url", value),
    "category": lambda value: find_category(value) if value else None,
    "tags": find_tags,
    "liquidity": _checked_liquidity,
    "open_at": _same,
    "close_at": _same,
    "outcomes": text.outcomes,
}
# field: how the event shows a value
_PLAIN: Final[dict[str, Callable[[Any], Any]]] = {
    "liquidity": to_text,
    "open_at": time_text,
    "close_at": time_text,
    "category": lambda category: category and category.slug,
}
_COLUMNS: Final = [field for field in _CLEANED if field not in {"tags", "outcomes"}]
