"""The totals of each day, kept as trades are read from the feed, so that no page counts trades."""

from collections.abc import Sequence
from typing import Final

from django.db import connection

from markets.models import Event

KEPT_DAYS: Final = 7  # of who traded: the feed comes to a day's last trades well within that

_ADD: Final = """
WITH batch AS (
    SELECT (trade.at AT TIME ZONE 'UTC')::date AS day, trader_id, cost FROM markets_trade AS trade
    JOIN unnest(%(markets)s::bigint[], %(seqs)s::bigint[]) AS told (market_id, seq)
        USING (market_id, seq)
), new_here AS (
    INSERT INTO markets_daytrader (day, trader_id) SELECT DISTINCT day, trader_id FROM batch
    ON CONFLICT DO NOTHING RETURNING day
), forgotten AS (
    DELETE FROM markets_daytrader WHERE day < (SELECT min(day) FROM batch) - %(kept)s::int
)
INSERT INTO markets_daytotal AS total (day, trades, volume, traders)
SELECT day, count(*), sum(cost), (SELECT count(*) FROM new_here WHERE new_here.day = batch.day)
FROM batch GROUP BY day
ON CONFLICT (day) DO UPDATE SET trades = total.trades + excluded.trades,
    volume = total.volume + excluded.volume, traders = total.traders + excluded.traders
"""


def add(trades: Sequence[Event]) -> None:
    """Add trades to the totals of their days, in the transaction that moves the cursor on."""
    places = {"markets": [t.market_id for t in trades], "seqs": [t.seq for t in trades]}
    with connection.cursor() as cursor:
        cursor.execute(_ADD, {**places, "kept": KEPT_DAYS})
