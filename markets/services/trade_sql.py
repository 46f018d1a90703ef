"""The three statements of a trade; few, because the market stays locked through all of them.

1. LOCK   the market's row. A row that a statement waited for must be read by a later statement.
2. READ   what the trade depends on, in one snapshot; lock the trader's account.
3. WRITE  all that it changes.

WRITE rarely updates an indexed column, and the tables leave room in their pages (migration 0001):
so PostgreSQL keeps an updated row on its page and writes to no index (heap-only tuples).
"""

from typing import Final

LOCK: Final = """
SELECT status, close_at, liquidity, price_floor, seq, volume, trade_count, trader_count
FROM markets_market WHERE id = %(market)s AND public FOR UPDATE
"""

READ: Final = """
SELECT
    account.id, account.balance,
    (SELECT id FROM markets_account WHERE market_id = %(market)s),
    (SELECT array_agg(ARRAY[id, probability, shares] ORDER BY position)
        FROM markets_outcome WHERE market_id = %(market)s),
    (SELECT ARRAY[shares, cost_basis] FROM markets_position
        WHERE trader_id = %(trader)s AND outcome_id = %(outcome)s),
    EXISTS (SELECT 1 FROM markets_position
        WHERE market_id = %(market)s AND trader_id = %(trader)s),
    (SELECT id FROM markets_trade
        WHERE trader_id = %(trader)s AND client_order_id = %(order)s)
FROM markets_account AS account WHERE account.user_id = %(trader)s FOR UPDATE OF account
"""

WRITE: Final = """
WITH entry AS (
    INSERT INTO markets_journalentry (kind, at, market_id, actor_id, note)
    VALUES ('trade', %(at)s, %(market)s, %(trader)s, '') RETURNING id
), trader_account AS (
    UPDATE markets_account SET balance = balance - %(paid)s
    WHERE id = %(account)s RETURNING id, balance
), market_account AS (
    UPDATE markets_account SET balance = balance + %(paid)s
    WHERE id = %(market_account)s RETURNING id, balance
), postings AS (
    INSERT INTO markets_posting (entry_id, account_id, amount, balance)
    SELECT entry.id, trader_account.id, -%(paid)s, trader_account.balance FROM entry, trader_account
    UNION ALL
    SELECT entry.id, market_account.id, %(paid)s, market_account.balance FROM entry, market_account
), outcome AS (
    UPDATE markets_outcome SET shares = shares + %(bought)s WHERE id = %(outcome)s
), market AS (
    UPDATE markets_market SET seq = %(seq)s, updated_at = %(at)s,
        volume = volume + %(cost)s, trade_count = trade_count + 1,
        trader_count = trader_count + %(new_here)s,
        ranked_volume = CASE WHEN volume + %(cost)s > ranked_volume * 1.02
            THEN volume + %(cost)s ELSE ranked_volume END,
        active_at = CASE WHEN active_at < %(at)s - interval '1 minute'
            THEN %(at)s ELSE active_at END
    WHERE id = %(market)s
), position AS (
    INSERT INTO markets_position AS held (trader_id, market_id, outcome_id,
        shares, cost_basis, realised, net_cost, payout)
    VALUES (%(trader)s, %(market)s, %(outcome)s,
        %(holding)s, %(basis)s, %(realised)s, %(paid)s, 0)
    ON CONFLICT (trader_id, outcome_id) DO UPDATE SET
        shares = excluded.shares, cost_basis = excluded.cost_basis,
        realised = held.realised + excluded.realised, net_cost = held.net_cost + excluded.net_cost
), trade AS (
    INSERT INTO markets_trade (market_id, outcome_id, trader_id, side, shares, cost,
        price_before, price_after, seq, at, client_order_id, request_digest, entry_id)
    SELECT %(market)s, %(outcome)s, %(trader)s, %(side)s, %(shares)s, %(cost)s,
        %(price_before)s, %(price_after)s, %(seq)s, %(at)s, %(order)s, %(digest)s, entry.id
    FROM entry
    RETURNING id
), event AS (
    INSERT INTO markets_event (market_id, seq, type, at, actor_id,
        payload, prices, request_id, pending, transaction)
    SELECT %(market)s, %(seq)s, 'trade', %(at)s, %(trader)s,
        %(payload)s::jsonb || jsonb_build_object('trade_id', trade.id), %(prices)s::jsonb,
        %(request_id)s, FALSE, greatest(pg_current_xact_id(), (
            SELECT transaction FROM markets_event
            WHERE market_id = %(market)s AND seq = %(seq)s - 1))
    FROM trade
), candles AS (
    INSERT INTO markets_candle AS candle
        (market_id, outcome_id, period, start, open, high, low, close, volume)
    SELECT %(market)s, price.id, period.seconds,
        date_bin(make_interval(secs => period.seconds), %(at)s, 'epoch'), price.before,
        greatest(price.before, price.now), least(price.before, price.now), price.now,
        CASE WHEN price.id = %(outcome)s THEN %(cost)s ELSE 0 END
    FROM unnest(
            %(ids)s::bigint[], %(before)s::bigint[], %(after)s::bigint[]
        ) AS price (id, before, now), (VALUES (60), (3600)) AS period (seconds)
    ON CONFLICT (outcome_id, period, start) DO UPDATE SET
        high = greatest(candle.high, excluded.close), low = least(candle.low, excluded.close),
        close = excluded.close, volume = candle.volume + excluded.volume
)
SELECT id FROM trade
"""
