"""When markets open and close."""

from datetime import datetime
from typing import Final, NamedTuple

from django.db.models import QuerySet

from markets.models import Market, Status

MOST: Final = 1000  # openings, and as many closings, of one answer


class Moment(NamedTuple):
    """A market opens or closes."""

    at: datetime
    verb: str  # "opens" or "closes"
    market: Market


def moments(start: datetime, end: datetime, *, drafts: bool) -> list[Moment]:
    """Return openings to come and closings of a span of time, in order; with `drafts`, theirs."""
    markets = Market.objects.all() if drafts else Market.objects.public()
    light: QuerySet[Market] = markets.only("slug", "name", "open_at", "close_at", "status")
    waiting = [Status.DRAFT, Status.SCHEDULED]
    opening = light.filter(status__in=waiting, open_at__gte=start, open_at__lt=end)
    closing = light.exclude(status=Status.CANCELLED).filter(close_at__gte=start, close_at__lt=end)
    found = [Moment(m.open_at, "opens", m) for m in opening.order_by("open_at")[:MOST] if m.open_at]
    found += [
        Moment(m.close_at, "closes", m) for m in closing.order_by("close_at")[:MOST] if m.close_at
    ]
    return sorted(found, key=lambda moment: (moment.at, moment.market.pk))
