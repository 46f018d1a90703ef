"""The prices that charts draw."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from markets.models import Candle, Market, Outcome, Trade
from markets.selectors.history import prices_at

RANGES: Final = {
    "1H": timedelta(hours=1),
    "1D": timedelta(days=1),
    "1W": timedelta(weeks=1),
    "All": None,
}
POINTS: Final = 200  # of a line; equal neighbours cost nothing
MOST_LINES: Final = 5  # as many as there are colours
ENOUGH_TRADES: Final = 20  # in the shortest range that is worth showing
SPARK_DAYS: Final = 7
SPARK_POINTS: Final = 28


class Series(NamedTuple):
    """Prices in millionths at evenly spaced moments from `start` to `end`, by outcome."""

    range: str
    start: datetime
    end: datetime
    lines: list[tuple[Outcome, list[int]]]


class Spark(NamedTuple):
    """An outcome's prices of the last week, oldest first, and a day ago, in millionths."""

    prices: list[int]
    day_ago: int


def market_series(market: Market, *, wanted: str, now: datetime) -> Series:
    """Return the lines of a market's chart in a range, or in the range that says most."""
    name = wanted if wanted in RANGES else _liveliest(market, now)
    end = min(now, market.close_at or now) if market.status != "active" else now
    opened = min(market.open_at or market.created_at, end - timedelta(minutes=1))
    span = RANGES[name]
    start = opened if span is None else max(opened, end - span)
    shown = market.shown(MOST_LINES)
    step = (end - start) / (POINTS - 1)
    moments = [start + step * i for i in range(POINTS - 1)]
    hourly = step.total_seconds() >= Candle.Period.HOUR / 4
    period = Candle.Period.HOUR if hourly else Candle.Period.MINUTE
    found = prices_at([outcome for outcome, _ in shown], moments, period=period)
    lines = [(outcome, [*found[outcome.pk], price]) for outcome, price in shown]
    return Series(name, start, end, lines)


def _liveliest(market: Market, now: datetime) -> str:
    """Return the shortest range with enough trades."""
    times = Trade.objects.filter(market=market).order_by("-id").values_list("at", flat=True)
    mark = next(iter(times[ENOUGH_TRADES - 1 : ENOUGH_TRADES]), None)
    if mark is not None:
        for name, span in RANGES.items():
            if span is not None and now - mark <= span:
                return name
    return "All"


def sparks(outcomes: Sequence[Outcome], *, now: datetime) -> dict[int, Spark]:
    """Return by outcome id."""
    step = timedelta(days=SPARK_DAYS) / SPARK_POINTS
    moments = [now - step * i for i in range(SPARK_POINTS, 0, -1)]
    found = prices_at(outcomes, [*moments, now - timedelta(days=1)], period=Candle.Period.HOUR)
    return {pk: Spark(prices[:-1], prices[-1]) for pk, prices in found.items()}


def day_ago(outcomes: Sequence[Outcome], *, now: datetime) -> dict[int, int]:
    """Return the prices of a day ago in millionths, by outcome id."""
    found = prices_at(outcomes, [now - timedelta(days=1)], period=Candle.Period.HOUR)
    return {pk: prices[0] for pk, prices in found.items()}
