"""No page of the admin asks more than 15 queries, or reads or counts a whole table."""

import re

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from bench import admin as pages
from bench.fill import fill
from tests.support.database import emptied
from tests.support.people import person

MOST = 15
TABLES = "market|trade|event|outcome|posting|account|position|journalentry|candle|notification"


@pytest.fixture(scope="module")
def addresses(django_db_setup, django_db_blocker):
    """Of 200 markets, one of them with 500 trades."""
    with django_db_blocker.unblock(), emptied():
        market_id, _ = fill(200, 500)
        yield pages.addresses(market_id)


def test_every_page_asks_few_queries_and_counts_no_table(addresses):
    boss, counts, unbounded = Client(), {}, []
    boss.force_login(person("root", is_staff=True, is_superuser=True))
    for name, path in addresses.items():
        boss.get(path)  # permissions and content types are known afterwards
        with CaptureQueriesContext(connection) as queries:
            assert boss.get(path).status_code == 200, name
        counts[name] = len(queries)
        unbounded += [
            (name, query["sql"][:200])
            for query in queries
            if re.match(rf'SELECT COUNT\(\*\) AS "__count" FROM "markets_({TABLES})"', query["sql"])
            and "WHERE" not in query["sql"]
        ]
    assert {name: count for name, count in counts.items() if count > MOST} == {}
    assert unbounded == []
