"""Prices over time."""

from typing import Any

from markets.domain.amounts import to_text
from markets.domain.time import time_text
from markets.selectors.history import Bar, PricePoint


def present_point(point: PricePoint) -> dict[str, Any]:
    """Return the price of every outcome, by id, at one moment."""
    prices = {str(outcome_id): to_text(price) for outcome_id, price in point.prices.items()}
    return {"at": time_text(point.at), "prices": prices}


def present_bar(bar: Bar) -> dict[str, Any]:
    """Return one candlestick."""
    amounts = {
        name: to_text(getattr(bar, name)) for name in ("open", "high", "low", "close", "volume")
    }
    return {"start": time_text(bar.start), **amounts}
