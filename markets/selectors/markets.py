"""Reads of markets: one, a page of them, and the shelves they stand on."""

from collections.abc import Iterable
from typing import Any

from django.db.models import Count, Q

from markets.domain.errors import NotFound
from markets.models import Category, Market, Tag


def get(market_id: int, *, drafts: bool = False) -> Market:
    """One market with all that `presenters/market.py` shows; NotFound for an unknown one, and for a draft unless `drafts`."""
    return _one(Q(pk=market_id), market_id, drafts)


def get_by_slug(slug: str, *, drafts: bool = False) -> Market:
    """As `get`, by slug."""
    return _one(Q(slug=slug), slug, drafts)


def _one(which: Q, key: object, drafts: bool) -> Market:
    markets = Market.objects.whole() if drafts else Market.objects.public().whole()
    market = markets.filter(which).first()
    if market is None:
        raise NotFound("market", key)
    return market


def head(market_id: int, *, drafts: bool = False) -> int:
    """The `seq` that a market stands at; NotFound for an unknown one, and for a draft unless `drafts`."""
    visible = Market.objects.all() if drafts else Market.objects.public()
    seq = visible.filter(pk=market_id).values_list("seq", flat=True).first()
    if seq is None:
        raise NotFound("market", market_id)
    return seq


def heads(market_ids: Iterable[int]) -> dict[int, int]:
    """The `seq` that each market stands at, by id."""
    return dict(Market.objects.filter(pk__in=market_ids).values_list("pk", "seq"))


def lively(*, most: int = 500) -> list[Market]:
    """The public markets with the newest events: what the all-markets stream starts from."""
    recent = (
        Market.objects.public()
        .order_by("-active_at", "-id")
        .defer("search_vector", "description", "resolution_criteria")
    )
    return list(recent.prefetch_related("outcomes")[:most])


def categories() -> list[dict[str, Any]]:
    """The categories with public markets, and how many."""
    return _counted(Category)


def tags() -> list[dict[str, Any]]:
    """The tags with public markets, and how many."""
    return _counted(Tag)


def _counted(shelf: type[Category] | type[Tag]) -> list[dict[str, Any]]:
    counted = shelf._default_manager.annotate(n=Count("markets", filter=Q(markets__public=True)))
    return [
        {"slug": row.slug, "name": row.name, "markets": row.n}
        for row in counted.filter(n__gt=0).order_by("name")
    ]
