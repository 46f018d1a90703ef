"""The exact feed: a cursor over the public events of all markets that skips and repeats none.

A row gets its id before it commits, so "all after id N" would skip rows that commit late. The feed
is therefore ordered by transaction id, and ends below `pg_snapshot_xmin`, the oldest transaction
still running. A transaction may get its id long before it locks the market, so an event stores the
larger of its own id and its predecessor's: within a market the feed has the order of `seq`.
"""

from collections.abc import Sequence

from django.db import connection
from django.db.models import BooleanField
from django.db.models.expressions import RawSQL

from markets.models import Event

Cursor = tuple[int, int]  # transaction id, event id
START: Cursor = (0, 0)

_AFTER_CURSOR = """(markets_event.transaction, markets_event.id) > (%s::xid8, %s)
    AND markets_event.transaction < pg_snapshot_xmin(pg_current_snapshot())"""


def cursor_of(event: Event) -> Cursor:
    return event.transaction, event.pk


def events_after(cursor: Cursor, *, limit: int, types: Sequence[str] = ()) -> list[Event]:
    """Return up to `limit` public events after `cursor`, each with its market."""
    params = [str(cursor[0]), cursor[1]]
    after: RawSQL = RawSQL(_AFTER_CURSOR, params, BooleanField())  # noqa: S611
    found = Event.objects.public().filter(after)
    if types:
        found = found.filter(type__in=types)
    return list(found.select_related("market").order_by("transaction", "id")[:limit])


def newest_since(horizon: int) -> tuple[list[Event], int]:
    """Return the newest event of each public market that no reader saw at `horizon`, and a new one.

    A horizon is the oldest transaction that ran at a reading: what was not visible then has a
    transaction id as large or larger. At most 5,000 markets.
    """
    new_horizon = current_horizon()  # before the reading, so that nothing falls between
    unseen: RawSQL = RawSQL("markets_event.transaction >= %s::xid8", [str(horizon)], BooleanField())
    found = Event.objects.filter(unseen, market__public=True).order_by("market_id", "-seq")
    return list(found.distinct("market_id")[:5000]), new_horizon


def current_horizon() -> int:
    """Return the oldest transaction that is running now."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_snapshot_xmin(pg_current_snapshot())")
        return int(cursor.fetchone()[0])
