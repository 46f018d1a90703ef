"""Reads of markets, categories and tags."""

from collections.abc import Iterable
from typing import Any

from django.db.models import Count, Exists, OuterRef, Q, QuerySet

from markets.domain.errors import NotFound
from markets.models import Category, Market, Tag


def get(market_id: int, *, drafts: bool = False) -> Market:
    """Return all that `present_market` reads. Raise NotFound, also for a draft without `drafts`."""
    return _one(Q(pk=market_id), market_id, drafts)


def get_by_slug(slug: str, *, drafts: bool = False) -> Market:
    return _one(Q(slug=slug), slug, drafts)


def _one(which: Q, key: object, drafts: bool) -> Market:
    markets = Market.objects.whole() if drafts else Market.objects.public().whole()
    market = markets.filter(which).first()
    if market is None:
        raise NotFound("market", key)
    return market


def head(market_id: int, *, drafts: bool = False) -> int:
    """Return the market's `seq`. Raise as `get` does."""
    visible = Market.objects.all() if drafts else Market.objects.public()
    seq = visible.filter(pk=market_id).values_list("seq", flat=True).first()
    if seq is None:
        raise NotFound("market", market_id)
    return seq


def heads(market_ids: Iterable[int]) -> dict[int, int]:
    """Return the `seq` of each market, by id."""
    return dict(Market.objects.filter(pk__in=market_ids).values_list("pk", "seq"))


def lively(*, most: int) -> list[Market]:
    """Return the public markets with the newest events."""
    recent = Market.objects.public().order_by("-active_at", "-id").prefetch_related("outcomes")
    return list(recent.defer("search_vector", "description", "resolution_criteria")[:most])


def public_categories() -> QuerySet[Category]:
    """Return the categories with public markets, uncounted: counting reads every market."""
    public = Market.objects.public().filter(category=OuterRef("pk"))
    return Category.objects.filter(Exists(public)).order_by("name")


def categories() -> list[dict[str, Any]]:
    return _counted(Category)


def tags() -> list[dict[str, Any]]:
    return _counted(Tag)


def _counted(shelf: type[Category] | type[Tag]) -> list[dict[str, Any]]:
    """Return those with public markets, and how many."""
    counted = shelf._default_manager.annotate(n=Count("markets", filter=Q(markets__public=True)))
    return [
        {"slug": row.slug, "name": row.name, "markets": row.n}
        for row in counted.filter(n__gt=0).order_by("name")
    ]
