"""Reads of what happened: the event log, trades, and prices over time."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, NamedTuple

from django.db import connection
from django.db.models import QuerySet

from markets.domain.errors import Invalid
from markets.domain.event_types import EventType
from markets.models import Candle, Event, Market, Outcome, Trade
from markets.selectors.pages import Page, page

MOST_CANDLES: Final = 5000

# The last candle at or before each moment: one probe of the index for each, however many trades there were.
_PRICES_AT: Final = """
SELECT moment, (SELECT close FROM markets_candle
    WHERE outcome_id = %(outcome)s AND period = %(period)s AND start < moment ORDER BY start DESC LIMIT 1)
FROM unnest(%(moments)s::timestamptz[]) AS moment
"""


def events_after(market_id: int, seq: int, *, limit: int) -> list[Event]:
    """Return up to `limit` public events of the market behind `seq`, oldest first."""
    found = Event.objects.public().filter(market_id=market_id, seq__gt=seq)
    return list(found.order_by("seq")[:limit])


def newest_since(at: datetime, *, most: int = 5000) -> list[Event]:
    """The newest event of each public market to which something happened since `at`."""
    recent = Event.objects.filter(at__gte=at, market__public=True)
    return list(recent.order_by("market_id", "-seq").distinct("market_id")[:most])


def event_page(
    market_id: int, *, after_seq: int, limit: int, cursor: str | None, drafts: bool = False
) -> Page[Event]:
    """Return one page of the market's log behind `after_seq`, oldest first; with `drafts` from before it was public, too."""
    log = Event.objects.all() if drafts else Event.objects.public()
    return page(
        log.filter(market_id=market_id, seq__gt=after_seq),
        order=["seq"],
        limit=limit,
        cursor=cursor,
    )


def corrections(market_id: int) -> list[Event]:
    """Return the edits that changed what people had already traded on, each with its reason, oldest first."""
    edits = Event.objects.public().filter(market_id=market_id, type=EventType.UPDATED)
    return list(edits.filter(payload__has_key="reason").order_by("seq"))


def trades(market_id: int) -> QuerySet[Trade]:
    """The market's trades."""
    return Trade.objects.filter(market_id=market_id)


class PricePoint(NamedTuple):
    """The price of every outcome in millionths, by id, at one moment."""

    at: datetime
    prices: dict[int, int]


def prices_over_time(
    market: Market, *, start: datetime, end: datetime, points: int
) -> list[PricePoint]:
    """Return the prices at `points` moments from `start` to `end`, evenly apart. Raise Invalid."""
    if end <= start:
        raise Invalid(to="The end must lie after the start.")
    step = (end - start) / max(1, points - 1)
    moments = [start + step * i for i in range(points)]
    period = (
        Candle.Period.HOUR if step.total_seconds() >= Candle.Period.HOUR else Candle.Period.MINUTE
    )
    found: dict[int, list[int]] = {}
    with connection.cursor() as cursor:
        for outcome in market.outcomes.all():
            cursor.execute(
                _PRICES_AT, {"outcome": outcome.pk, "period": period, "moments": moments}
            )
            found[outcome.pk] = [
                outcome.probability if close is None else close for _, close in cursor.fetchall()
            ]
    return [
        PricePoint(moment, {outcome_id: prices[i] for outcome_id, prices in found.items()})
        for i, moment in enumerate(moments)
    ]


@dataclass
class Bar:
    """An outcome's prices (millionths) and volume (micro-credits) in one period."""

    start: datetime
    open: int
    high: int
    low: int
    close: int
    volume: int


def candlesticks(
    market_id: int, outcome_id: int, *, start: datetime, end: datetime, minutes: int
) -> list[Bar]:
    """Return the periods of 1, 60 or 1440 minutes in which an outcome of the market was traded. Raise Invalid."""
    if not Outcome.objects.filter(pk=outcome_id, market_id=market_id).exists():
        raise Invalid(outcome_id=f"Outcome {outcome_id} does not belong to this market.")
    if end <= start:
        raise Invalid(end_ts="The end must lie after the start.")
    if (end - start).total_seconds() / 60 / minutes > MOST_CANDLES:
        raise Invalid(
            end_ts=f"That is more than {MOST_CANDLES} candlesticks: ask for a shorter time or a longer period."
        )
    period = Candle.Period.MINUTE if minutes == 1 else Candle.Period.HOUR
    stored = Candle.objects.filter(
        outcome_id=outcome_id, period=period, start__gte=start, start__lt=end
    )
    bars: list[Bar] = []
    for candle in stored.order_by("start"):
        begins = candle.start.astimezone(UTC)
        begins = begins.replace(hour=0) if minutes == 1440 else begins
        if bars and bars[-1].start == begins:
            last = bars[-1]
            last.high, last.low = max(last.high, candle.high), min(last.low, candle.low)
            last.close, last.volume = candle.close, last.volume + candle.volume
        else:
            bars.append(
                Bar(begins, candle.open, candle.high, candle.low, candle.close, candle.volume)
            )
    return bars
