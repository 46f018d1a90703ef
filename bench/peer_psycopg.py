"""The peer of a trade: plain psycopg, one statement per fact, as a careful program would write it by hand."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import psycopg

from markets.domain.pricing import Book


def trade(
    connection: psycopg.Connection[Any],
    market: int,
    trader: int,
    outcome: int,
    shares: int,
    order: str,
) -> None:
    """A buy: check the key, lock, read, price, and write each fact with a statement of its own."""
    now = datetime.now(UTC)
    with connection.transaction(), connection.cursor() as cursor:
        run = cursor.execute
        assert (
            run(
                "SELECT id FROM markets_trade WHERE trader_id = %s AND client_order_id = %s",
                [trader, order],
            ).fetchone()
            is None
        )
        row = run(
            "SELECT liquidity, seq FROM markets_market WHERE id = %s FOR UPDATE", [market]
        ).fetchone()
        assert row is not None
        liquidity, seq = row[0], row[1] + 1
        outcomes = run(
            "SELECT id, probability, shares FROM markets_outcome WHERE market_id = %s ORDER BY position",
            [market],
        ).fetchall()
        accounts = run(
            "SELECT id, balance, user_id FROM markets_account WHERE user_id = %s OR market_id = %s ORDER BY id FOR UPDATE",
            [trader, market],
        ).fetchall()
        (mine,) = [account for account in accounts if account[2] == trader]
        (theirs,) = [account for account in accounts if account[2] is None]
        ids = [one[0] for one in outcomes]
        book = Book([one[1] for one in outcomes], [one[2] for one in outcomes], liquidity)
        index = ids.index(outcome)
        cost, before, after = (
            book.cost(index, shares),
            book.prices(),
            book.after(index, shares).prices(),
        )
        assert mine[1] >= cost
        entry = run(
            "INSERT INTO markets_journalentry (kind, at, market_id, actor_id, note) VALUES ('trade', %s, %s, %s, '') RETURNING id",
            [now, market, trader],
        ).fetchone()[0]  # type: ignore[index]
        cursor.executemany(
            "INSERT INTO markets_posting (entry_id, account_id, amount, balance) VALUES (%s, %s, %s, %s)",
            [(entry, mine[0], -cost, mine[1] - cost), (entry, theirs[0], cost, theirs[1] + cost)],
        )
        run("UPDATE markets_account SET balance = balance - %s WHERE id = %s", [cost, mine[0]])
        run("UPDATE markets_account SET balance = balance + %s WHERE id = %s", [cost, theirs[0]])
        run("UPDATE markets_outcome SET shares = shares + %s WHERE id = %s", [shares, outcome])
        run(
            "UPDATE markets_market SET seq = %s, updated_at = %s, volume = volume + %s, trade_count = trade_count + 1 WHERE id = %s",
            [seq, now, cost, market],
        )
        run(
            "INSERT INTO markets_position AS held (trader_id, market_id, outcome_id, shares, cost_basis, realised, net_cost, payout)"
            " VALUES (%s, %s, %s, %s, %s, 0, %s, 0) ON CONFLICT (trader_id, outcome_id) DO UPDATE SET shares = held.shares +"
            " excluded.shares, cost_basis = held.cost_basis + excluded.cost_basis, net_cost = held.net_cost + excluded.net_cost",
            [trader, market, outcome, shares, cost, cost],
        )
        run(
            "INSERT INTO markets_trade (market_id, outcome_id, trader_id, side, shares, cost, price_before, price_after, seq, at,"
            " client_order_id, request_digest, entry_id) VALUES (%s, %s, %s, 'buy', %s, %s, %s, %s, %s, %s, %s, '', %s)",
            [
                market,
                outcome,
                trader,
                shares,
                cost,
                before[index],
                after[index],
                seq,
                now,
                order,
                entry,
            ],
        )
        run(
            "INSERT INTO markets_event (market_id, seq, type, at, actor_id, payload, prices, request_id, pending)"
            " VALUES (%s, %s, 'trade', %s, %s, %s, %s, '', FALSE)",
            [
                market,
                seq,
                now,
                trader,
                json.dumps({"cost": cost}),
                json.dumps(dict(zip(map(str, ids), after, strict=True))),
            ],
        )
