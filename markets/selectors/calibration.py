"""How well the final prices predicted the resolutions."""

from collections import defaultdict

from markets.domain.amounts import MICRO
from markets.models import Market, Resolution


def final_prices() -> list[tuple[float, float]]:
    """Return price and payout per share of every settled outcome, both 0 to 1."""
    standing = Resolution.objects.filter(reversed_at=None).prefetch_related("payouts")
    weights = {r.market_id: {p.outcome_id: p.weight for p in r.payouts.all()} for r in standing}
    settled = Market.objects.filter(pk__in=weights).prefetch_related("outcomes")
    return [
        (price / MICRO, weights[market.pk].get(outcome.pk, 0) / MICRO)
        for market in settled
        for outcome, price in market.priced()
    ]


def tenths() -> dict[int, list[tuple[float, float]]]:
    """Group them by the tenth, 0 to 9, of the price."""
    found: dict[int, list[tuple[float, float]]] = defaultdict(list)
    for price, truth in final_prices():
        found[min(9, int(price * 10))].append((price, truth))
    return dict(sorted(found.items()))


def brier_score() -> float | None:
    """Return the mean squared error, or None without settled markets."""
    found = final_prices()
    return sum((price - truth) ** 2 for price, truth in found) / len(found) if found else None
