"""Reads of the event log, of trades, and of prices over time."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, NamedTuple

from django.db import connection
from django.db.models import QuerySet

from markets.domain.errors import Invalid
from markets.domain.event_types import EventType
from markets.models import Candle, Event, Market, Outcome, Status, Trade
from markets.selectors.pages import Page, page

MOST_CANDLES: Final = 5000

# by outcome, the close of the last candle that began before each moment: an index probe for each
_PRICES: Final = """
SELECT outcome, ARRAY(
    SELECT (SELECT close FROM markets_candle
        WHERE outcome_id = outcome AND period = %(period)s AND start < moment
        ORDER BY start DESC LIMIT 1)
    FROM unnest(%(moments)s::timestamptz[]) WITH ORDINALITY AS asked (moment, place)
    ORDER BY place)
FROM unnest(%(outcomes)s::bigint[]) AS outcome
"""


def events_after(market_id: int, seq: int, *, limit: int) -> list[Event]:
    """Return public events, oldest first."""
    found = Event.objects.public().filter(market_id=market_id, seq__gt=seq)
    return list(found.order_by("seq")[:limit])


def event_page(
    market_id: int, *, after_seq: int, limit: int, cursor: str | None, drafts: bool = False
) -> Page[Event]:
    """Page oldest first; with `drafts`, events from before the market was public too."""
    log = Event.objects.all() if drafts else Event.objects.public()
    events = log.filter(market_id=market_id, seq__gt=after_seq)
    return page(events, order=["seq"], limit=limit, cursor=cursor)


def cancellation(market: Market) -> Event | None:
    """Return the event that called the market off; it says why."""
    if market.status != Status.CANCELLED:
        return None
    return market.events.filter(type=EventType.CANCELLED).order_by("-seq").first()


def taken_back(market: Market) -> Event | None:
    """Return the newest event that took back a resolution or a proposed one, of a closed market."""
    if market.status != Status.CLOSED:
        return None
    ends = [EventType.UNRESOLVED, EventType.WITHDRAWN]
    return market.events.filter(type__in=ends).order_by("-seq").first()


def trades(market_id: int) -> QuerySet[Trade]:
    return Trade.objects.filter(market_id=market_id)


class PricePoint(NamedTuple):
    """Prices in millionths by outcome id."""

    at: datetime
    prices: dict[int, int]


def prices_at(
    outcomes: Iterable[Outcome], moments: Sequence[datetime], *, period: int
) -> dict[int, list[int]]:
    """Return the prices (millionths) of each outcome at the moments, by its id, in one statement.

    They are exact at the ends of candles of `period`, and later by less than one between them.
    """
    priors = {outcome.pk: outcome.probability for outcome in outcomes}
    with connection.cursor() as cursor:
        cursor.execute(
            _PRICES, {"outcomes": list(priors), "moments": list(moments), "period": period}
        )
        return {
            pk: [priors[pk] if close is None else close for close in closes]
            for pk, closes in cursor.fetchall()
        }


def prices_over_time(
    market: Market, *, start: datetime, end: datetime, points: int
) -> list[PricePoint]:
    """Return the prices at `points` evenly spaced moments from `start` to `end`. Raise Invalid."""
    if end <= start:
        raise Invalid(to="The end must lie after the start.")
    step = (end - start) / max(1, points - 1)
    moments = [start + step * i for i in range(points)]
    hourly = step.total_seconds() >= Candle.Period.HOUR
    period = Candle.Period.HOUR if hourly else Candle.Period.MINUTE
    found = prices_at(market.outcomes.all(), moments, period=period)
    return [
        PricePoint(moment, {outcome_id: prices[i] for outcome_id, prices in found.items()})
        for i, moment in enumerate(moments)
    ]


@dataclass
class Bar:
    """Prices in millionths, volume in micro-credits."""

    start: datetime
    open: int
    high: int
    low: int
    close: int
    volume: int


def candlesticks(
    market_id: int, outcome_id: int, *, start: datetime, end: datetime, minutes: int
) -> list[Bar]:
    """Return a bar for each period of 1, 60 or 1440 minutes with trades. Raise Invalid."""
    if not Outcome.objects.filter(pk=outcome_id, market_id=market_id).exists():
        raise Invalid(outcome_id=f"Outcome {outcome_id} does not belong to this market.")
    if end <= start:
        raise Invalid(end_ts="The end must lie after the start.")
    if (end - start).total_seconds() / 60 / minutes > MOST_CANDLES:
        message = "candlesticks: ask for a shorter time or a longer period."
        raise Invalid(end_ts=f"That is more than {MOST_CANDLES} {message}")
    period = Candle.Period.MINUTE if minutes == 1 else Candle.Period.HOUR
    stored = Candle.objects.filter(outcome_id=outcome_id, period=period)
    bars: list[Bar] = []
    for candle in stored.filter(start__gte=start, start__lt=end).order_by("start"):
        begin = candle.start.astimezone(UTC)
        if minutes == 1440:
            begin = begin.replace(hour=0)
        if not bars or bars[-1].start != begin:
            bars.append(Bar(begin, candle.open, candle.high, candle.low, candle.close, 0))
        bar = bars[-1]
        bar.high, bar.low = max(bar.high, candle.high), min(bar.low, candle.low)
        bar.close, bar.volume = candle.close, bar.volume + candle.volume
    return bars
