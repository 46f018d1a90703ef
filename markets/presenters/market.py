from typing import Any

from markets.domain.amounts import to_text
from markets.domain.time import time_text
from markets.models import Market


def present_market(market: Market) -> dict[str, Any]:
    """`MarketQuerySet.whole` has loaded it."""
    return {
        "id": market.pk,
        "slug": market.slug,
        "name": market.name,
        "description": market.description,
        "resolution_criteria": market.resolution_criteria,
        "source_url": market.source_url or None,
        "status": market.status,
        "category": market.category and market.category.slug,
        "tags": [tag.slug for tag in market.tags.all()],
        "open_at": time_text(market.open_at),
        "close_at": time_text(market.close_at),
        "created_at": time_text(market.created_at),
        "updated_at": time_text(market.updated_at),
        "outcomes": [
            {
                "id": outcome.pk,
                "label": outcome.label,
                "price": to_text(price),
                "shares": to_text(outcome.shares),
            }
            for outcome, price in market.priced()
        ],
        "liquidity": to_text(market.liquidity),
        "volume": to_text(market.volume),
        "volume_24h": to_text(getattr(market, "volume_24h", 0)),
        "trade_count": market.trade_count,
        "trader_count": market.trader_count,
        "seq": market.seq,
        "version": market.version,
        "resolution": _resolution(market),
    }


def _resolution(market: Market) -> dict[str, Any] | None:
    """Return the resolution that stands."""
    standing = market.standing_resolution()
    return (
        standing
        if standing is None
        else {
            "resolved_at": time_text(standing.resolved_at),
            "known_at": time_text(standing.known_at),
            "payouts": [
                {"outcome_id": payout.outcome_id, "weight": to_text(payout.weight)}
                for payout in standing.payouts.all()
            ],
            "evidence_url": standing.evidence_url or None,
            "note": standing.note,
        }
    )


def present_market_in_short(market: Market) -> dict[str, Any]:
    """For the snapshot of all markets."""
    return {
        "market_id": market.pk,
        "seq": market.seq,
        "at": time_text(market.updated_at),
        "slug": market.slug,
        "name": market.name,
        "status": market.status,
        "prices": market.price_texts(),
    }
