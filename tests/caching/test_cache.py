"""Reads from Redis: fast, never stale for long, and not needed."""

import asyncio
import json
import logging
import threading

import pytest
from django.core.cache import cache as django_cache
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django_redis import get_redis_connection

from markets.caching import shared
from markets.domain.errors import NotFound
from markets.infra import redis
from markets.infra.threads import in_thread
from markets.services import lifecycle
from tests.support.clock import NOW
from tests.support.factory import rename
from tests.support.processes import wait_for


def name_of(market):
    return json.loads(shared.read_market(market.pk))["name"]


def test_a_read_that_hits_does_no_sql(market):
    first = shared.read_market(market.pk)
    with CaptureQueriesContext(connection) as queries:
        assert shared.read_market(market.pk) == first
    assert not queries.captured_queries


def test_a_miss_costs_a_fixed_number_of_statements(market):
    with CaptureQueriesContext(connection) as queries:
        shared.read_market(market.pk)
    assert len(queries) <= 5, [query["sql"] for query in queries.captured_queries]


def test_an_edit_is_seen_by_the_next_read(market):
    assert name_of(market) == "Will it rain?"
    rename(market, "Will it snow?")
    assert name_of(market) == "Will it snow?"


def test_the_cache_keeps_a_market_for_300_seconds(market):
    shared.read_market(market.pk)
    assert 269 <= django_cache.ttl(f"market:{market.pk}") <= 300, (
        "less up to a tenth, so that all do not expire together"
    )


def test_a_slow_reader_cannot_put_the_old_state_over_the_new_one(market, monkeypatch):
    """The race of cache-aside: read the old row, be overtaken by a write, store what was read."""
    has_read, may_store = threading.Event(), threading.Event()
    store = shared.store_market

    def slow_store(*args, **kwargs):
        if threading.current_thread().name == "slow reader":
            has_read.set()
            assert may_store.wait(10)
        return store(*args, **kwargs)

    monkeypatch.setattr(shared, "store_market", slow_store)
    seen = []

    def read():
        seen.append(name_of(market))
        connection.close()

    reader = threading.Thread(target=read, name="slow reader")
    reader.start()
    assert has_read.wait(10)
    rename(market, "Will it snow?")
    may_store.set()
    reader.join(10)
    assert seen == ["Will it rain?"], "the interleaving was not the one to test"
    assert name_of(market) == "Will it snow?"


def test_an_unknown_id_is_remembered_for_a_moment(world):
    with pytest.raises(NotFound):
        shared.read_market(4711)
    with CaptureQueriesContext(connection) as queries, pytest.raises(NotFound):
        shared.read_market(4711)
    assert not queries.captured_queries
    assert django_cache.ttl("market:4711") <= 10


def test_a_market_created_under_a_remembered_id_is_found(market, make_market):
    with pytest.raises(NotFound):
        shared.read_market(market.pk + 1)
    created = make_market("Another?")
    assert created.pk == market.pk + 1
    assert name_of(created) == "Another?"


def test_a_draft_is_not_shown_and_appears_when_it_opens(make_market):
    market = make_market(status="draft")
    with pytest.raises(NotFound):
        shared.read_market(market.pk)
    lifecycle.open_market(market_id=market.pk, actor=None, now=NOW)
    assert name_of(market) == "Will it rain?"


def test_a_draft_that_opens_while_it_is_looked_for_is_not_remembered_as_hidden(
    make_market, monkeypatch
):
    market = make_market(status="draft")
    find = shared.markets.get

    def slow_find(market_id):
        try:
            return find(market_id)
        except NotFound:
            lifecycle.open_market(market_id=market.pk, actor=None, now=NOW)
            raise

    with monkeypatch.context() as patch, pytest.raises(NotFound):
        patch.setattr(shared.markets, "get", slow_find)
        shared.read_market(market.pk)
    assert name_of(market) == "Will it rain?"


@pytest.fixture
def dead_redis(settings, monkeypatch):
    """A cache on a port where nobody listens, as after a crash of Redis."""
    from django.core.cache import caches

    monkeypatch.setitem(
        settings.CACHES,
        "default",
        {**settings.CACHES["default"], "LOCATION": "redis://127.0.0.1:1/0"},
    )
    monkeypatch.setattr(shared, "redis", redis.Redis())
    monkeypatch.setattr(shared, "_missed", {})
    monkeypatch.setattr(redis, "RETRY_SECONDS", 3600)
    del caches["default"]
    yield
    del caches["default"]


def test_without_redis_reads_and_writes_go_on_and_the_log_says_so_once(market, dead_redis, caplog):
    with caplog.at_level(logging.INFO, "bellwether.cache"):
        for name in ("Will it snow?", "Will it hail?"):
            rename(market, name)
            assert name_of(market) == name
    assert [r.msg["event"] for r in caplog.records if r.name == "bellwether.cache"] == [
        "cache_unavailable"
    ]


def test_a_redis_that_comes_back_is_used_again(market, settings, monkeypatch, caplog, tmp_path):
    from django.core.cache import caches

    from config.dev import embedded

    monkeypatch.setattr(shared, "redis", redis.Redis())
    monkeypatch.setattr(embedded, "running", {})
    port = embedded.free_port()
    monkeypatch.setattr(embedded, "free_port", lambda: port)
    with caplog.at_level(logging.INFO, "bellwether.cache"):
        for _ in range(2):  # up, down, up, down
            with embedded.valkey(tmp_path) as url:
                monkeypatch.setitem(
                    settings.CACHES, "default", {**settings.CACHES["default"], "LOCATION": url}
                )
                caches["default"] = caches.create_connection("default")
                wait_for(lambda: not shared.redis.away)
                name_of(market)
                assert caches["default"].ttl(f"market:{market.pk}") > 0
            assert name_of(market) == "Will it rain?"
    del caches["default"]
    said = [r.msg["event"] for r in caplog.records if r.name == "bellwether.cache"]
    assert said == ["cache_unavailable", "cache_available", "cache_unavailable"]


def test_redis_is_told_later_of_what_it_missed_and_forgets_nothing_else(
    market, make_market, monkeypatch
):
    """One process alone cannot reach it: the others go on with what they have there."""
    other = make_market("Snow?")
    name_of(market), name_of(other)
    monkeypatch.setattr(shared.redis, "away", True)
    rename(market, "Missed?")
    assert name_of(market) == "Missed?", "from the database"
    shared.redis._back()
    with CaptureQueriesContext(connection) as queries:
        assert name_of(other) == "Snow?"
        assert not queries.captured_queries
        assert name_of(market) == "Missed?"
        assert queries.captured_queries


def test_an_event_that_is_told_of_after_a_later_one_does_not_lower_the_floor(market):
    shared.invalidate(market.pk, 7)
    shared.invalidate(market.pk, 6)  # the event before it
    assert not shared.store_market(market.pk, 6, b"old")
    assert shared.store_market(market.pk, 7, b"new")


def test_connections_that_died_together_are_one_outage(market, monkeypatch, caplog):
    monkeypatch.setattr(redis, "RETRY_SECONDS", 0.1)

    async def many(number):
        return await asyncio.gather(
            *(shared.redis.aask(lambda client: client.ping(), None) for _ in range(number))
        )

    async def scenario():
        assert all(await many(20))
        await in_thread(
            lambda: get_redis_connection("default").client_kill_filter(_type="normal", skipme=False)
        )
        await many(1)
        await in_thread(wait_for, lambda: not shared.redis.away)
        for number in (1, 5, 20, 20):
            assert all(await many(number))

    with caplog.at_level(logging.INFO, "bellwether.cache"):
        asyncio.run(scenario())
    said = [r.msg["event"] for r in caplog.records if r.name == "bellwether.cache"]
    assert said in ([], ["cache_unavailable", "cache_available"])


async def test_an_unknown_market_leaves_only_that_it_is_unknown(client, world):
    before = get_redis_connection("default").dbsize()
    for number in range(50):
        for path in ("", "/history", "/trades", "/events"):
            assert (await client.get(f"/api/v1/markets/{10**9 + number}{path}")).status_code == 404
    assert get_redis_connection("default").dbsize() <= before + 50, (
        "that they are unknown, for ten seconds"
    )


def test_what_is_filled_together_does_not_expire_together(make_market):
    made = [make_market(f"Market {number}?") for number in range(30)]
    for market in made:
        shared.read_market(market.pk)
    assert len({django_cache.ttl(f"market:{market.pk}") for market in made}) > 5
