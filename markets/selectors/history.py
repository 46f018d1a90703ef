"""Reads of what happened: the event log, trades, and prices over time."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

from django.db import connection
from django.db.models import QuerySet

from markets.amounts import to_text
from markets.errors import Invalid
from markets.models import Candle, Event, Market, Trade
from markets.selectors.markets import time_text
from markets.selectors.pages import Page, page

MOST_CANDLES: Final = 5000

# The last candle at or before each moment: one probe of the index for each, however many trades there were.
_PRICES_AT: Final = """
SELECT moment, (SELECT close FROM markets_candle
    WHERE outcome_id = %(outcome)s AND period = %(period)s AND start < moment ORDER BY start DESC LIMIT 1)
FROM unnest(%(moments)s::timestamptz[]) AS moment
"""


def events_after(market_id: int, seq: int, *, limit: int) -> list[Event]:
    """Up to `limit` events of the market behind `seq`, oldest first."""
    return list(Event.objects.filter(market_id=market_id, seq__gt=seq).order_by("seq")[:limit])


def newest_since(at: datetime, *, most: int = 5000) -> list[Event]:
    """The newest event of each public market to which something happened since `at`."""
    recent = Event.objects.filter(at__gte=at, market__public=True)
    return list(recent.order_by("market_id", "-seq").distinct("market_id")[:most])


def event_page(market_id: int, *, after_seq: int, limit: int, cursor: str | None) -> Page[Event]:
    """One page of the market's log behind `after_seq`, oldest first."""
    return page(Event.objects.filter(market_id=market_id, seq__gt=after_seq), order=["seq"], limit=limit, cursor=cursor)


def trades(market_id: int) -> QuerySet[Trade]:
    """The market's trades."""
    return Trade.objects.filter(market_id=market_id)


def prices_over_time(market: Market, *, start: datetime, end: datetime, points: int) -> list[dict[str, Any]]:
    """The price of every outcome at `points` moments from `start` to `end`, evenly apart. Raises Invalid."""
    if end <= start:
        raise Invalid(to="The end must lie after the start.")
    step = (end - start) / max(1, points - 1)
    moments = [start + step * i for i in range(points)]
    period = Candle.Period.HOUR if step.total_seconds() >= Candle.Period.HOUR else Candle.Period.MINUTE
    found: dict[int, list[int]] = {}
    with connection.cursor() as cursor:
        for outcome in market.outcomes.all():
            cursor.execute(_PRICES_AT, {"outcome": outcome.pk, "period": period, "moments": moments})
            found[outcome.pk] = [outcome.probability if close is None else close for _, close in cursor.fetchall()]
    return [
        {"at": time_text(moment), "prices": {str(pk): to_text(prices[i]) for pk, prices in found.items()}}
        for i, moment in enumerate(moments)
    ]


def candlesticks(outcome_id: int, *, start: datetime, end: datetime, minutes: int) -> list[dict[str, Any]]:
    """Open, high, low, close and volume of an outcome in periods of 1, 60 or 1440 minutes that had a trade. Raises Invalid."""
    if end <= start:
        raise Invalid(end_ts="The end must lie after the start.")
    if (end - start).total_seconds() / 60 / minutes > MOST_CANDLES:
        raise Invalid(end_ts=f"That is more than {MOST_CANDLES} candlesticks: ask for a shorter time or a longer period.")
    period = Candle.Period.MINUTE if minutes == 1 else Candle.Period.HOUR
    stored = Candle.objects.filter(outcome_id=outcome_id, period=period, start__gte=start, start__lt=end).order_by("start")
    shown: list[dict[str, Any]] = []
    for candle in stored:
        begins = candle.start.replace(hour=0) if minutes == 1440 else candle.start
        if shown and shown[-1]["start"] == begins:
            last = shown[-1]
            last["high"], last["low"] = max(last["high"], candle.high), min(last["low"], candle.low)
            last["close"], last["volume"] = candle.close, last["volume"] + candle.volume
        else:
            names = ("open", "high", "low", "close", "volume")
            shown.append({"start": begins, **{name: getattr(candle, name) for name in names}})
    return [
        {"start": time_text(row.pop("start").astimezone(UTC)), **{name: to_text(value) for name, value in row.items()}}
        for row in shown
    ]
