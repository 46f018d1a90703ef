"""The exact feed: every public event of all markets, in one order, behind a cursor that misses nothing and repeats nothing.

A row gets its id before it commits, so "everything after id N" misses what commits late. The order is therefore that of the
transactions' ids, and only what no running transaction can still come before is told: what lies below
`pg_snapshot_xmin(pg_current_snapshot())`. A transaction has its id before it gets the lock of a market, so an event takes the
larger of its own transaction's and its predecessor's: within a market the feed has the order of `seq`.
"""

from collections.abc import Sequence

from django.db.models import BooleanField
from django.db.models.expressions import RawSQL

from markets.models import Event

Cursor = tuple[int, int]  # a transaction's id and an event's

START: Cursor = (0, 0)

_BEHIND = """(markets_event.transaction, markets_event.id) > (%s::xid8, %s)
    AND markets_event.transaction < pg_snapshot_xmin(pg_current_snapshot())"""


def cursor_of(event: Event) -> Cursor:
    """Return the cursor of a reader who has just read this event."""
    return event.transaction, event.pk


def events_after(cursor: Cursor, *, limit: int, types: Sequence[str] = ()) -> list[Event]:
    """Return the next public events behind `cursor`, each with its market.

    At most `limit`; of these types, if any are named.
    """
    reached = [str(cursor[0]), cursor[1]]
    behind: RawSQL = RawSQL(_BEHIND, reached, output_field=BooleanField())  # noqa: S611  (a constant text)
    found = Event.objects.public().filter(behind)
    if types:
        found = found.filter(type__in=types)
    return list(found.select_related("market").order_by("transaction", "id")[:limit])
