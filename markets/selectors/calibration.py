"""How good the crowd's prices were, against how things turned out."""

from collections import defaultdict

from markets.domain.amounts import MICRO
from markets.models import Market, Resolution


def final_prices() -> list[tuple[float, float]]:
    """For every outcome of every settled market: its last price before, and what a share of it paid. Both from 0 to 1."""
    standing = Resolution.objects.filter(reversed_at=None).prefetch_related("payouts")
    weights = {r.market_id: {p.outcome_id: p.weight for p in r.payouts.all()} for r in standing}
    settled = Market.objects.filter(pk__in=weights).prefetch_related("outcomes")
    return [
        (price / MICRO, weights[market.pk].get(outcome.pk, 0) / MICRO)
        for market in settled
        for outcome, price in market.priced()
    ]


def tenths() -> dict[int, list[tuple[float, float]]]:
    """`final_prices` by the tenth that the price was in."""
    found: dict[int, list[tuple[float, float]]] = defaultdict(list)
    for price, truth in final_prices():
        found[min(9, int(price * 10))].append((price, truth))
    return dict(sorted(found.items()))


def brier_score() -> float | None:
    """The mean squared distance of price and truth over all outcomes; None before anything was settled."""
    found = final_prices()
    return sum((price - truth) ** 2 for price, truth in found) / len(found) if found else None
