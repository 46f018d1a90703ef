"""The hot queries use their indexes, in a database that is large enough for the planner to care."""

import json

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from bench import size
from bench.fill import fill
from tests.support.database import emptied

LARGE = {
    "markets_market",
    "markets_trade",
    "markets_event",
    "markets_outcome",
    "markets_candle",
    "markets_posting",
    "markets_word",
}

EXPECTED = {
    "detail": "markets_market_pkey",
    "list by newest": "markets_market_pkey",
    "list by closing": "market_closing",
    "list by volume": "market_volume",
    "list by activity": "market_activity",
    "its second page, by newest": "markets_market_pkey",
    "its second page, by closing": "market_closing",
    "its second page, by volume": "market_volume",
    "its second page, by activity": "market_activity",
    "by slug": "markets_market_slug",
    "list of the active": "markets_market_pkey",
    "list of a category, 2 rows": "markets_market_pkey",
    "list of a category, by volume, 2 rows": "market_volume",
    "list of a tag, 2 rows": "markets_market_tags",
    "search, a name": "market_search",
    "search, two words": "market_search",
    "search, two words, by volume": "market_search",
    "search, nothing found": "word_similar",
    "search, mistyped": "word_similar",
    "trades, newest 50": "markets_trade_pkey",  # all of them are one market's here; trade_newest when they are not
    "events, first 50": "event_seq_once",
    "events, newest 50": "event_seq_once",
    "history, 200 points": "candle_once",
    "candlesticks, 2 hours": "candle_once",
}


@pytest.fixture(scope="module")
def reads(django_db_setup, django_db_blocker):
    with django_db_blocker.unblock(), emptied():
        yield size.reads(*fill(20_000, 30_000))


def nodes(plan):
    yield plan
    for child in plan.get("Plans", ()):
        yield from nodes(child)


def plans(read):
    """Every node of the plan of every statement that a read makes."""
    with CaptureQueriesContext(connection) as captured:
        read()
    for query in captured.captured_queries:
        if query["sql"].lstrip().upper().startswith("SELECT"):
            with connection.cursor() as cursor:
                cursor.execute("EXPLAIN (FORMAT JSON) " + query["sql"].replace("%", "%%"), [])
                found = cursor.fetchone()[0]
            yield from nodes((found if isinstance(found, list) else json.loads(found))[0]["Plan"])


@pytest.mark.parametrize("name", EXPECTED)
def test_a_read_uses_its_index(reads, name):
    found = list(plans(reads[name]))
    used = {node["Index Name"] for node in found if "Index Name" in node}
    assert any(index.startswith(EXPECTED[name]) for index in used), (
        used,
        {node["Node Type"] for node in found},
    )
    scanned = {node["Relation Name"] for node in found if node["Node Type"] == "Seq Scan"} & LARGE
    assert not scanned
