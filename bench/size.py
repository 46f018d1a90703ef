"""What reads cost at 100 markets and 1,000 trades, and at 100,000 and 1,000,000: the database's part, behind every cache.

Two databases on one server take turns, call by call. `python -m bench.size` takes some five minutes, most of them for filling.
"""

from __future__ import annotations

import os
import statistics
import sys
import time
from collections.abc import Callable

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
os.environ.setdefault("LOG_LEVEL", "ERROR")

from django.db import DEFAULT_DB_ALIAS, connection, connections
from django.db.backends.base.base import BaseDatabaseWrapper

from bench import report
from bench.servers import own_database

SMALL, LARGE = (100, 1_000), (100_000, 1_000_000)  # markets, trades
TIMES = 100


def reads(market_id: int, outcome_id: int) -> dict[str, Callable[[], object]]:
    """The reads of the API, as the routes call them."""
    from datetime import timedelta

    from django.utils import timezone

    from markets.models import Market
    from markets.presenters.market import present_market
    from markets.selectors import catalogue, history, markets
    from markets.selectors.pages import page

    now = timezone.now()
    begun = Market.objects.get(pk=market_id).created_at
    some = Market.objects.filter(slug__startswith="filled-").order_by("-id")[20]

    def listed(**facts: object) -> Callable[[], object]:
        return lambda: [present_market(market) for market in catalogue.listed(**facts).items]  # type: ignore[arg-type]

    cursors = {sort: catalogue.listed(sort=sort).next for sort in catalogue.ORDERS}
    return {
        "detail": lambda: present_market(markets.get(some.pk)),
        **{f"list by {sort}": listed(sort=sort) for sort in catalogue.ORDERS},
        **{
            f"its second page, by {sort}": listed(sort=sort, cursor=cursor)
            for sort, cursor in cursors.items()
        },
        "list of the active": listed(status="active"),
        # as many rows as there are in the small one
        "list of a category, 2 rows": listed(category="c7", limit=2),
        "list of a category, by volume, 2 rows": listed(category="c7", sort="volume", limit=2),
        "list of a tag, 2 rows": listed(tag="t7", limit=2),
        "by slug": listed(slug=some.slug),
        "search, a name": listed(text=some.name, limit=1),
        "search, two words": listed(text="election rain", limit=2),
        "search, one common word": listed(text="railway", limit=2),
        "search, two words, by volume": listed(text="election rain", sort="volume", limit=2),
        "search, one common word, by volume": listed(text="railway", sort="volume", limit=2),
        "search, mistyped": listed(text="releese budgett", limit=1),
        "search, nothing found": listed(text="xylophone quartet"),
        "trades, newest 50": lambda: page(
            history.trades(market_id), order=["-id"], limit=50, cursor=None
        ),
        "events, first 50": lambda: history.event_page(
            market_id, after_seq=0, limit=50, cursor=None
        ),
        "events, newest 50": lambda: history.events_after(
            market_id, markets.head(market_id) - 50, limit=50
        ),
        "history, 200 points": lambda: history.prices_over_time(
            markets.get(market_id), start=min(begun, now - timedelta(days=7)), end=now, points=200
        ),
        # as many as the small one has
        "candlesticks, 2 hours": lambda: history.candlesticks(
            market_id, outcome_id, start=now - timedelta(hours=2), end=now, minutes=60
        ),
        "categories with counts": markets.categories,
        "tags with counts": markets.tags,
    }


def connected(database: str) -> BaseDatabaseWrapper:
    """A connection of its own to that database."""
    made = connections.create_connection(DEFAULT_DB_ALIAS)
    options = {
        name: value for name, value in made.settings_dict["OPTIONS"].items() if name != "pool"
    }
    made.settings_dict = {**made.settings_dict, "NAME": database, "OPTIONS": options}
    return made


def took(read: Callable[[], object]) -> float:
    """Milliseconds."""
    begun = time.perf_counter()
    read()
    return (time.perf_counter() - begun) * 1000


def main() -> None:
    with own_database():
        from bench.fill import fill

        large = connection.settings_dict["NAME"]
        small_ids = fill(*SMALL)
        connection.close()
        connection.close_pool()  # type: ignore[attr-defined]
        with connected("postgres").cursor() as cursor:
            cursor.execute(f"CREATE DATABASE small TEMPLATE {large}")
        begun = time.monotonic()
        large_ids = fill(*(there - here for here, there in zip(SMALL, LARGE, strict=True)))
        sys.stderr.write(f"filled in in {time.monotonic() - begun:.0f} s\n")

        sides = []
        for database, ids in (("small", small_ids), (large, large_ids)):
            connections[DEFAULT_DB_ALIAS] = connected(database)
            sides.append((connections[DEFAULT_DB_ALIAS], reads(*ids)))
        lines = [
            "| read | ms at 100 markets, 1,000 trades | ms at 100,000 and 1,000,000 | ratio |",
            "|---|---|---|---|",
        ]
        for name in sides[0][1]:
            times: list[list[float]] = [[], []]
            for _ in range(TIMES):
                for (database, known), measured in zip(sides, times, strict=True):
                    connections[DEFAULT_DB_ALIAS] = database
                    measured.append(took(known[name]))
            less, more = (statistics.median(measured) for measured in times)
            lines.append(f"| {name} | {less:.1f} | {more:.1f} | **{more / less:.2f}** |")
        report.tell("size", lines)


if __name__ == "__main__":
    main()
