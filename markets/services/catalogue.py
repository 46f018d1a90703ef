"""Create and edit markets, categories and tags."""

from collections.abc import Callable, Container, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any, Final, Required, TypedDict, TypeVar, Unpack

from django.db import IntegrityError, transaction
from django.db.models import Q

from markets import events
from markets.domain import limits, text
from markets.domain.amounts import to_text
from markets.domain.errors import IllegalTransition, Invalid
from markets.domain.time import time_text
from markets.events.payloads import Created, Updated
from markets.models import Category, Market, Outcome, Status, Tag
from markets.services import Actor, ledger, lifecycle
from markets.services.slugs import free_slug

Shelf = TypeVar("Shelf", Category, Tag)


class MarketText(TypedDict, total=False):
    """`liquidity` in micro-shares; `category` and `tags` by name or slug, created when new."""

    description: str
    resolution_criteria: str
    source_url: str
    outcomes: Sequence[text.OutcomeDraft]
    category: str | None
    tags: Sequence[str]
    liquidity: int
    open_at: datetime | None
    close_at: datetime | None


class MarketChanges(MarketText, total=False):
    """An absent field stays unchanged."""

    name: str


class NewMarket(MarketText, total=False):
    """An absent field gets its default."""

    name: Required[str]
    status: str  # draft (the default), scheduled, active or closed
    external_id: str | None
    imported: bool  # part of an import; the event says so


def check_market(*, now: datetime, **fields: Unpack[NewMarket]) -> None:
    """Raise Invalid if `add_market` would. Reads and writes no database."""
    _new(fields, now, _CHECKED)


def _new(fields: NewMarket, now: datetime, cleaned: "Cleaners") -> dict[str, Any]:
    """Return the values of a new market as `cleaned` leaves them. Raise Invalid."""
    status = fields.get("status", Status.DRAFT)
    open_at = fields.get("open_at")
    if status not in {Status.DRAFT, Status.SCHEDULED, Status.ACTIVE, Status.CLOSED}:
        raise Invalid(status="A new market is draft, scheduled, active or closed.")
    _check_times(status, open_at, fields.get("close_at"), ("open_at", "close_at"), now)
    if status == Status.ACTIVE and open_at is not None and open_at > now:
        raise Invalid(open_at="An active market cannot open later: create it as scheduled.")
    values = {
        "liquidity": limits.DEFAULT_LIQUIDITY,
        "outcomes": text.DEFAULT_OUTCOMES,
        "tags": (),
        **{name: fields[name] for name in cleaned if name in fields},  # type: ignore[literal-required]
        "open_at": open_at or now if status == Status.ACTIVE else open_at,
    }
    return {field: cleaned[field](value) for field, value in values.items()}


def add_market(*, actor: Actor, now: datetime, **fields: Unpack[NewMarket]) -> Market:
    """Create a market with its status inside the caller's transaction. Raise Invalid."""
    status = fields.get("status", Status.DRAFT)
    cleaned = _new(fields, now, _CLEANED)
    outcomes, tags = cleaned.pop("outcomes"), cleaned.pop("tags")
    market = Market.objects.create(
        **cleaned,
        slug=free_slug(cleaned["name"]),
        status=status,
        external_id=fields.get("external_id"),
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
    imported = fields.get("imported", False)
    created = Created(name=market.name, slug=market.slug, status=status, imported=imported)
    events.record(market, created, actor=actor, now=now)
    return market


def change_market(
    *,
    market_id: int,
    actor: Actor,
    now: datetime,
    changes: MarketChanges,
    expected_version: int | None = None,
    reason: str = "",
) -> Market:
    """Edit a market inside the caller's transaction. Record an event when a field differs.

    Liquidity and the number and priors of outcomes are fixed once the market has opened. Once it
    has trades, name, labels and criteria change only with a `reason`, which is shown.
    Raise NotFound, Busy, Invalid, VersionConflict, IllegalTransition.
    """
    market = lifecycle.lock(market_id, expected_version)
    if market.status not in lifecycle.UNSETTLED:
        raise IllegalTransition("edit", market.status, list(lifecycle.UNSETTLED))
    difference: dict[str, Mapping[Any, Any]] = {}
    if "outcomes" in changes and market.status not in lifecycle.BEFORE_TRADING:
        changes = {**changes, "outcomes": _with_priors(market, changes["outcomes"])}
    for field, value in _clean(changes).items():
        before, after = _apply(market, field, value)
        if before != after:
            difference[field] = {"from": before, "to": after}
    _check_times(market.status, market.open_at, market.close_at, difference, now)
    if "open_at" in difference:
        _check_before_trading(market, "open_at")
    if "close_at" in difference and market.status == Status.CLOSED:
        raise Invalid(close_at="The market has closed already.")
    if difference:
        updated = Updated(changes=difference, reason=_checked_reason(market, difference, reason))
        market.version += 1
        market.save(update_fields=[*_COLUMNS, "version"])
        events.record(market, updated, actor=actor, now=now)
    return market


# the same services, each in a transaction of its own
create_market = transaction.atomic(durable=True)(add_market)
edit_market = transaction.atomic(durable=True)(change_market)


def add_shelf(*, kind: type[Shelf], name: str, slug: str) -> Shelf:
    """Create a category or tag inside the caller's transaction. Raise Invalid."""
    name = text.line("name", name, most=limits.SHELF_LENGTH)
    return _saved(kind(name=name, slug=text.slug("slug", slug or name)))


def rename_shelf(*, shelf: Shelf, name: str) -> Shelf:
    """Rename a category or tag inside the caller's transaction; keep its slug. Raise Invalid."""
    shelf.name = text.line("name", name, most=limits.SHELF_LENGTH)
    return _saved(shelf)


def _saved(shelf: Shelf) -> Shelf:
    try:
        with transaction.atomic():
            shelf.save()
    except IntegrityError:
        raise Invalid(name="Another one has this name or slug.") from None
    return shelf


def _checked_reason(market: Market, difference: Mapping[str, object], reason: str) -> str | None:
    """Raise Invalid when a required reason is missing."""
    if reason:
        return text.line("reason", reason, most=limits.REASON_LENGTH)
    if market.trade_count and difference.keys() & {"name", "outcomes", "resolution_criteria"}:
        raise Invalid(reason="People have traded on this: give the reason for the correction.")
    return None


def _check_times(
    status: str, start: datetime | None, end: datetime | None, edited: Container[str], now: datetime
) -> None:
    """Raise Invalid when changed times do not fit the status or each other."""
    first, last = limits.FIRST_YEAR, limits.LAST_YEAR
    for field, at in (("open_at", start), ("close_at", end)):
        if at is not None and not first <= at.year <= last:
            raise Invalid(**{field: f"Give a year between {first} and {last}."})
    if start is not None and end is not None and end <= start:
        raise Invalid(close_at="The closing time must be after the opening time.")
    if status == Status.SCHEDULED and "open_at" in edited and (start is None or start <= now):
        raise Invalid(open_at="A scheduled market needs an opening time in the future.")
    live = status in lifecycle.LIVE
    if live and "close_at" in edited and end is not None and end <= now:
        raise Invalid(close_at="This time has passed: set a later one, or use the status closed.")


def _clean(changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return every value checked and as the model holds it. Raise Invalid."""
    return {field: _CLEANED[field](value) for field, value in changes.items()}


def _apply(market: Market, field: str, value: Any) -> tuple[Any, Any]:
    """Set a field. Return the event's values of it, before and after."""
    before: Any
    if field == "tags":
        before = list(market.tags.all())
        market.tags.set(value)
    elif field == "outcomes":
        before = _apply_outcomes(market, value)
    else:
        before = getattr(market, field)
        if field == "liquidity" and before != value:
            _check_before_trading(market, field)
        setattr(market, field, value)
    plain = _PLAIN.get(field, _unchanged)
    return plain(before), plain(value)


def _apply_outcomes(market: Market, after: list[tuple[str, int]]) -> list[tuple[str, int]]:
    """Return labels and priors as they were."""
    rows = list(market.outcomes.all())
    before = [(row.label, row.probability) for row in rows]
    if [prior for _, prior in before] == [prior for _, prior in after]:
        places = {label: place for place, (label, _) in enumerate(after)}
        swapped = any(places.get(row.label, place) != place for place, row in enumerate(rows))
        if swapped and market.trade_count:
            raise Invalid(outcomes="People hold these outcomes: their labels cannot change places.")
        for row, (label, _) in zip(rows, after, strict=True):
            row.label = label
        Outcome.objects.bulk_update(rows, ["label"])
    else:
        _check_before_trading(market, "outcomes")
        market.outcomes.all().delete()
        _add_outcomes(market, after)
    return before


def _with_priors(
    market: Market, drafts: Sequence[text.OutcomeDraft]
) -> Sequence[text.OutcomeDraft]:
    """Return the drafts of a market that has opened: labels alone leave the priors unchanged."""
    rows = list(market.outcomes.all())
    if len(rows) != len(drafts) or any(draft.probability is not None for draft in drafts):
        return drafts
    pairs = zip(drafts, rows, strict=True)
    return [text.OutcomeDraft(draft.label, row.probability) for draft, row in pairs]


def _add_outcomes(market: Market, outcomes: Sequence[tuple[str, int]]) -> None:
    Outcome.objects.bulk_create(
        Outcome(market=market, position=position, label=label, probability=prior)
        for position, (label, prior) in enumerate(outcomes)
    )


def _check_before_trading(market: Market, field: str) -> None:
    if market.status not in lifecycle.BEFORE_TRADING:
        message = "This cannot change once a market has opened; labels can. The market is"
        raise Invalid(**{field: f"{message} {market.status}."})


def _liquidity(liquidity: int) -> int:
    if not limits.LEAST_LIQUIDITY <= liquidity <= limits.MOST_LIQUIDITY:
        most = to_text(limits.MOST_LIQUIDITY)
        raise Invalid(liquidity=f"Liquidity is between 1 and {most} shares.")
    return liquidity


def _check_tags(names: Sequence[str]) -> None:
    if len(names) > limits.MOST_TAGS:
        raise Invalid(tags=f"A market has at most {limits.MOST_TAGS} tags.")
    for name in names:
        _shelf_name("tags", name)


def _tags(names: Sequence[str]) -> list[Tag]:
    _check_tags(names)
    return list({tag.pk: tag for tag in (_shelf(Tag, "tags", name) for name in names)}.values())


def _shelf_name(field: str, name: str) -> tuple[str, str]:
    """Return the name of a category or tag, and the slug of that name. Raise Invalid."""
    name = text.line(field, name, most=limits.SHELF_LENGTH)
    return name, text.slug(field, name)


def _shelf(kind: type[Shelf], field: str, name: str) -> Shelf:
    """Return the category or tag, created when new. Raise Invalid."""
    name, slug = _shelf_name(field, name)
    shelves = kind._default_manager
    known = shelves.filter(Q(slug=slug) | Q(name=name)).first()
    return known or shelves.get_or_create(slug=slug, defaults={"name": name})[0]


def _unchanged(value: Any) -> Any:
    return value


Cleaners = Mapping[str, Callable[[Any], Any]]

# field → the check, which returns the value as the model holds it
_CLEANED: Final[Cleaners] = {
    "name": partial(text.line, "name", most=limits.NAME_LENGTH),
    "description": partial(text.body, "description"),
    "resolution_criteria": partial(text.body, "resolution_criteria"),
    "source_url": partial(text.link, "source_url"),
    "category": lambda name: _shelf(Category, "category", name) if name else None,
    "tags": _tags,
    "liquidity": _liquidity,
    "open_at": _unchanged,
    "close_at": _unchanged,
    "outcomes": text.outcomes,
}
# the same checks without the database
_CHECKED: Final[Cleaners] = {
    **_CLEANED,
    "category": lambda name: _shelf_name("category", name) if name else None,
    "tags": _check_tags,
}
# field → a value as the event has it
_PLAIN: Final[dict[str, Callable[[Any], Any]]] = {
    "liquidity": to_text,
    "open_at": time_text,
    "close_at": time_text,
    "category": lambda category: category and category.slug,
    "tags": lambda tags: sorted(tag.slug for tag in tags),
    "outcomes": lambda outcomes: [{"label": o[0], "probability": to_text(o[1])} for o in outcomes],
}
_COLUMNS: Final = [field for field in _CLEANED if field not in {"tags", "outcomes"}]
