"""What reads cost at 100 markets and 1,000 trades, and at 100,000 and 1,000,000: the database's part, behind every cache.

`python -m bench.size` takes some five minutes, most of them for filling.
"""

from __future__ import annotations

import os
import statistics
import sys
import time
from collections.abc import Callable

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
os.environ.setdefault("LOG_LEVEL", "ERROR")

from bench import report
from bench.servers import own_database

SMALL, LARGE = (100, 1_000), (100_000, 1_000_000)
TIMES = 40


def reads(market_id: int, outcome_id: int) -> dict[str, Callable[[], object]]:
    """The reads of the API, as the routes call them."""
    from datetime import timedelta

    from django.utils import timezone

    from markets.models import Market
    from markets.selectors import catalogue, history, markets
    from markets.selectors.pages import page

    now = timezone.now()
    begun = Market.objects.get(pk=market_id).created_at
    some = Market.objects.filter(slug__startswith="filled-").order_by("-id")[20]

    def listed(**facts: object) -> Callable[[], object]:
        return lambda: [markets.present(market) for market in catalogue.listed(**facts).items]  # type: ignore[arg-type]

    cursors = {sort: catalogue.listed(sort=sort).next for sort in catalogue.ORDERS}
    return {
        "detail": lambda: markets.present(markets.get(some.pk)),
        **{f"list by {sort}": listed(sort=sort) for sort in catalogue.ORDERS},
        **{f"its second page, by {sort}": listed(sort=sort, cursor=cursor) for sort, cursor in cursors.items()},
        "list of the active": listed(status="active"),
        # as many rows as there are in the small one
        "list of a category, 2 rows": listed(category="c7", limit=2),
        "list of a category, by volume, 2 rows": listed(category="c7", sort="volume", limit=2),
        "list of a tag, 2 rows": listed(tag="t7", limit=2),
        "by slug": listed(slug=some.slug),
        "search, a name": listed(text=some.name, limit=1),
        "search, two words": listed(text="election rain", limit=1),
        "search, one common word": listed(text="railway", limit=2),
        "search, mistyped": listed(text="releese budgett", limit=1),
        "search, nothing found": listed(text="xylophone quartet"),
        "trades, newest 50": lambda: page(history.trades(market_id), order=["-id"], limit=50, cursor=None),
        "events, first 50": lambda: history.event_page(market_id, after_seq=0, limit=50, cursor=None),
        "events, newest 50": lambda: history.events_after(market_id, markets.head(market_id) - 50, limit=50),
        "history, 200 points": lambda: history.prices_over_time(
            markets.get(market_id), start=min(begun, now - timedelta(days=7)), end=now, points=200
        ),
        "candlesticks, 2 days in hours": lambda: history.candlesticks(
            outcome_id, start=now - timedelta(days=2), end=now, minutes=60
        ),
        "categories with counts": markets.categories,
        "tags with counts": markets.tags,
    }


def median_ms(read: Callable[[], object]) -> float:
    """Of TIMES calls, after three that warm up."""
    took = []
    for number in range(TIMES + 3):
        begun = time.perf_counter()
        read()
        if number >= 3:
            took.append(time.perf_counter() - begun)
    return statistics.median(took) * 1000


def main() -> None:
    with own_database():
        from bench.fill import fill

        measured = []
        for markets, trades in (SMALL, (LARGE[0] - SMALL[0], LARGE[1])):
            begun = time.monotonic()
            market, outcome = fill(markets, trades)
            sys.stderr.write(f"{markets} markets and {trades} trades filled in in {time.monotonic() - begun:.0f} s\n")
            measured.append({name: median_ms(read) for name, read in reads(market, outcome).items()})
        small, large = measured
        lines = ["| read | ms at 100 markets, 1,000 trades | ms at 100,000 and 1,000,000 | ratio |", "|---|---|---|---|"]
        lines += [f"| {name} | {small[name]:.1f} | {large[name]:.1f} | **{large[name] / small[name]:.2f}** |" for name in small]
        report.tell("size", lines)


if __name__ == "__main__":
    main()
