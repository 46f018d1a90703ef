"""What a trade costs: the whole service (guards, idempotency, ledger, event, candles, cache, doorbell) against plain psycopg.

`python -m bench.trades` takes a few minutes; `--million` adds the cost of a trade behind a million others. Both sides run in one
process over one connection each, turn by turn, on a PostgreSQL of this run's own; the figures are medians of the rounds.
"""

from __future__ import annotations

import argparse
import gc
import os
import statistics
import time
from collections.abc import Callable

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
os.environ.setdefault("LOG_LEVEL", "ERROR")

from bench import report
from bench.servers import own_database

ROUNDS, PER_ROUND = 9, 300


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument(
        "--million", action="store_true", help="fill one market with a million trades first"
    )
    options = arguments.parse_args()
    with own_database():
        gc.freeze()  # as the server does (config/asgi.py)
        gc.set_threshold(50_000, 20, 20)
        lines = compare()
        if options.million:
            lines += behind_a_million()
    report.tell("trades", lines)


def compare() -> list[str]:
    """The table of service and peer, on one market and on fifty."""
    import psycopg
    from django.db import connection

    from bench import peer_psycopg
    from markets.domain.orders import Order
    from markets.services import trading

    lines = [
        "| trades per second, one connection | plain psycopg, a statement per fact | the service | ratio |",
        "|---|---|---|---|",
    ]
    for label, count in (("one hot market", 1), ("fifty markets", 50)):
        markets, people = scene(count)
        now = time.time_ns

        def ours(number: int) -> None:
            market, outcome = markets[number % count]
            order = Order(outcome_id=outcome, side="buy", shares=20_000)
            trader = people[number % len(people)]
            trading.place_trade(
                market_id=market,
                trader=trader,
                order=order,
                client_order_id=f"s{now()}",
                now=clock(),
            )

        connection.ensure_connection()
        settings = connection.settings_dict
        address = "postgresql://{USER}:{PASSWORD}@{HOST}:{PORT}/{NAME}".format(**settings)
        with psycopg.connect(address) as plain:

            def theirs(number: int) -> None:
                market, outcome = markets[number % count]
                peer_psycopg.trade(
                    plain, market, people[number % len(people)].pk, outcome, 20_000, f"p{now()}"
                )

            rates = rounds(theirs, ours)
        ratio = statistics.median(b / a for a, b in zip(*rates, strict=True))
        peer, own = (statistics.median(rate) for rate in rates)
        lines.append(f"| {label} | {peer:,.0f} | {own:,.0f} | **{ratio:.2f}** |")
    return lines


def rounds(*sides: Callable[[int], None]) -> list[list[float]]:
    """Calls a second of each side in each round, the sides taking turns."""
    rates: list[list[float]] = [[] for _ in sides]
    for side in sides:
        for number in range(60):
            side(number)
    for _ in range(ROUNDS):
        for rate, side in zip(rates, sides, strict=True):
            begun = time.perf_counter()
            for number in range(PER_ROUND):
                side(number)
            rate.append(PER_ROUND / (time.perf_counter() - begun))
    return rates


def clock():  # type: ignore[no-untyped-def]
    from django.utils import timezone

    return timezone.now()


def scene(count: int):  # type: ignore[no-untyped-def]
    """Markets with deep liquidity and traders with money."""
    from django.contrib.auth import get_user_model

    from markets.domain.amounts import MICRO
    from markets.services import catalogue, ledger

    facts = {"actor": None, "now": clock(), "status": "active", "liquidity": 10**6 * MICRO}
    made = [catalogue.create_market(name=f"Bench {n}?", **facts) for n in range(count)]
    users = [
        get_user_model().objects.create(username=f"bench-{time.time_ns()}-{n}") for n in range(10)
    ]
    for user in users:
        ledger.grant(user=user, amount=10**8 * MICRO, actor=None, now=clock(), reason="Bench")
    return [(market.pk, market.outcomes.first().pk) for market in made], users


FILL = """
WITH entries AS (
    INSERT INTO markets_journalentry (kind, at, market_id, actor_id, note)
    SELECT 'trade', now() - make_interval(secs => (%(most)s - n) * 3), %(market)s, %(trader)s, 'fill ' || n
    FROM generate_series(%(first)s::bigint, %(last)s::bigint) AS n RETURNING id, at, substr(note, 6)::bigint AS n
), postings AS (
    INSERT INTO markets_posting (entry_id, account_id, amount, balance)
    SELECT id, %(account)s, CASE WHEN n %% 2 = 0 THEN 10000 ELSE -10000 END, 0 FROM entries
    UNION ALL SELECT id, %(market_account)s, CASE WHEN n %% 2 = 0 THEN -10000 ELSE 10000 END, 0 FROM entries
), trades AS (
    INSERT INTO markets_trade (market_id, outcome_id, trader_id, side, shares, cost, price_before, price_after, seq, at,
        client_order_id, request_digest, entry_id)
    SELECT %(market)s, %(outcome)s, %(trader)s, CASE WHEN n %% 2 = 0 THEN 'sell' ELSE 'buy' END, 20000, 10000, 500000, 500000,
        n + 1, at, 'fill-' || n, '', id FROM entries
), candles AS (
    INSERT INTO markets_candle AS candle (market_id, outcome_id, period, start, open, high, low, close, volume)
    SELECT %(market)s, outcome.id, period.seconds, date_bin(make_interval(secs => period.seconds), at, 'epoch'),
        500000, 500000, 500000, 500000, sum(10000)
    FROM entries, (VALUES (60), (3600)) AS period (seconds), markets_outcome outcome WHERE outcome.market_id = %(market)s
    GROUP BY 2, 3, 4 ON CONFLICT (outcome_id, period, start) DO UPDATE SET volume = candle.volume + excluded.volume
)
INSERT INTO markets_event (market_id, seq, type, at, actor_id, payload, prices, request_id, pending)
SELECT %(market)s, n + 1, 'trade', at, %(trader)s, '{"cost": "0.01"}', '{}', '', FALSE FROM entries
"""


def behind_a_million() -> list[str]:
    """The cost of a thousand trades in an empty market, and in the same market behind a million."""
    from django.db import connection

    from markets.domain.orders import Order
    from markets.models import Account, Market, Position
    from markets.services import trading

    markets, people = scene(1)
    market, outcome = markets[0]

    def thousand() -> list[float]:
        took = []
        for number in range(1000):
            order = Order(outcome_id=outcome, side="buy", shares=20_000)
            key = f"m{time.time_ns()}"
            begun = time.perf_counter()
            trading.place_trade(
                market_id=market,
                trader=people[number % 10],
                order=order,
                client_order_id=key,
                now=clock(),
            )
            took.append(time.perf_counter() - begun)
        return took

    thousand()  # warm
    first = thousand()
    seq = Market.objects.get(pk=market).seq
    trader = people[0]
    facts = {
        "market": market,
        "outcome": outcome,
        "trader": trader.pk,
        "most": 10**6,
        "account": Account.objects.get(user=trader).pk,
    }
    facts["market_account"] = Account.objects.get(market=market).pk
    begun = time.perf_counter()
    for start in range(seq, seq + 10**6, 50_000):
        with connection.cursor() as cursor:
            cursor.execute(FILL, {**facts, "first": start, "last": start + 49_999})
    Market.objects.filter(pk=market).update(seq=seq + 10**6, trade_count=seq + 10**6)
    assert Position.objects.filter(market_id=market).exists()
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    filled = time.perf_counter() - begun
    thousand()
    last = thousand()
    early, late = statistics.median(first), statistics.median(last)
    reads = {name: median_ms(read) for name, read in history_reads(market, outcome).items()}
    return [
        "",
        f"| one trade, median of 1,000 (a million trades were filled in in {filled:.0f} s) | ms |",
        "|---|---|",
        f"| in a market with 1,000 trades | {early * 1000:.2f} |",
        f"| behind a million | {late * 1000:.2f} |",
        f"| ratio | **{late / early:.2f}** |",
        *(f"| {name}, behind a million | {took:.2f} |" for name, took in reads.items()),
    ]


def median_ms(read: Callable[[], object]) -> float:
    """Milliseconds of the median of 30 calls."""
    took = []
    for _ in range(30):
        begun = time.perf_counter()
        read()
        took.append(time.perf_counter() - begun)
    return statistics.median(took) * 1000


def history_reads(market_id: int, outcome_id: int) -> dict[str, Callable[[], object]]:
    """The reads of a market's history."""
    from datetime import timedelta

    from markets.models import Market
    from markets.selectors import history
    from markets.selectors.pages import page

    market, now = Market.objects.whole().get(pk=market_id), clock()
    month = {"start": now - timedelta(days=30), "end": now}
    return {
        "price history, 30 days in 200 points": lambda: history.prices_over_time(
            market, points=200, **month
        ),
        "candlesticks, 30 days in hours": lambda: history.candlesticks(
            market_id, outcome_id, minutes=60, **month
        ),
        "newest 50 trades": lambda: page(
            history.trades(market_id), order=["-id"], limit=50, cursor=None
        ),
    }


if __name__ == "__main__":
    main()
