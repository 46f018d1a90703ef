"""Reads of markets: one, a page of them, and the shelves they stand on."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.db.models import Count, Q

from markets.amounts import to_text
from markets.errors import NotFound
from markets.models import Category, Market, Resolution, Tag


def time_text(at: datetime | None) -> str | None:
    """RFC 3339 in UTC, as in `2026-11-23T09:00:00Z`."""
    return None if at is None else at.isoformat().replace("+00:00", "Z")


def present(market: Market) -> dict[str, Any]:
    """The market as the API, the streams and the cache show it. Costs no statement on `whole()` rows."""
    return {
        "id": market.pk,
        "slug": market.slug,
        "name": market.name,
        "description": market.description,
        "resolution_criteria": market.resolution_criteria,
        "status": market.status,
        "category": market.category and market.category.slug,
        "tags": [tag.slug for tag in market.tags.all()],
        "open_at": time_text(market.open_at),
        "close_at": time_text(market.close_at),
        "created_at": time_text(market.created_at),
        "updated_at": time_text(market.updated_at),
        "outcomes": [
            {"id": o.pk, "label": o.label, "price": to_text(price), "shares": to_text(o.shares)} for o, price in market.priced()
        ],
        "liquidity": to_text(market.liquidity),
        "volume": to_text(market.volume),
        "volume_24h": to_text(getattr(market, "volume_24h", 0)),
        "trade_count": market.trade_count,
        "trader_count": market.trader_count,
        "seq": market.seq,
        "version": market.version,
        "resolution": _resolution(market.resolutions.all()),
    }


def _resolution(found: Iterable[Resolution]) -> dict[str, Any] | None:
    for resolution in found:
        if resolution.reversed_at is None:
            return {
                "resolved_at": time_text(resolution.resolved_at),
                "payouts": [{"outcome_id": p.outcome_id, "weight": to_text(p.weight)} for p in resolution.payouts.all()],
                "evidence_url": resolution.evidence_url or None,
                "note": resolution.note,
            }
    return None


def get(market_id: int, *, drafts: bool = False) -> Market:
    """One market with all that `present` shows; NotFound for an unknown one, and for a draft unless `drafts`."""
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
    recent = Market.objects.public().order_by("-active_at", "-id").defer("search_vector", "description", "resolution_criteria")
    return list(recent.prefetch_related("outcomes")[:most])


def categories() -> list[dict[str, Any]]:
    """The categories with public markets, and how many."""
    return _counted(Category)


def tags() -> list[dict[str, Any]]:
    """The tags with public markets, and how many."""
    return _counted(Tag)


def _counted(shelf: type[Category] | type[Tag]) -> list[dict[str, Any]]:
    counted = shelf._default_manager.annotate(n=Count("markets", filter=Q(markets__public=True)))
    return [{"slug": row.slug, "name": row.name, "markets": row.n} for row in counted.filter(n__gt=0).order_by("name")]
