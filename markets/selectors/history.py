"""Reads of the event log."""

from markets.models import Event
from markets.selectors.pages import Page, page


def events_after(market_id: int, seq: int, *, limit: int) -> list[Event]:
    """Up to `limit` events of the market behind `seq`, oldest first."""
    return list(Event.objects.filter(market_id=market_id, seq__gt=seq).order_by("seq")[:limit])


def event_page(market_id: int, *, after_seq: int, limit: int, cursor: str | None) -> Page[Event]:
    """One page of the market's log behind `after_seq`, oldest first."""
    return page(Event.objects.filter(market_id=market_id, seq__gt=after_seq), order=["seq"], limit=limit, cursor=cursor)
