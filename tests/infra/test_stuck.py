"""One stuck thing does not stop everything: a locked row, a database that was restarted, a wire that fell silent."""

import asyncio
import time
from contextlib import contextmanager

import httpx
import psycopg
import pytest
from django.conf import settings
from django.db import connection

from markets.domain.errors import Busy
from markets.infra.threads import in_thread
from markets.models import Market
from markets.services import ledger, lifecycle
from markets.tasks import clock
from tests.support.clock import LATER, NOW
from tests.support.factory import order, trade, yes_no
from tests.support.people import bearer, key_for, person
from tests.support.processes import serving, wait_for
from tests.support.proxy import proxied


def database():
    facts = settings.DATABASES["default"]
    return (
        "postgresql://{USER}:{PASSWORD}@{HOST}:{PORT}/".format(**facts)
        + connection.settings_dict["NAME"]
    )


@contextmanager
def locked(market):
    """Somebody holds the market's row and does not let go."""
    with psycopg.connect(database()) as other:
        other.execute("SELECT 1 FROM markets_market WHERE id = %s FOR UPDATE", [market.pk])
        yield


def buy(outcome, key):
    return {"outcome_id": outcome.pk, "side": "buy", "shares": "1", "client_order_id": key}


async def test_a_locked_market_holds_up_nobody_but_its_own_traders(server, make_market, bob):
    stuck, free = await in_thread(lambda: (make_market("Stuck?"), make_market("Free?")))
    (yes, _), (other, _) = await in_thread(lambda: (yes_no(stuck), yes_no(free)))
    headers = bearer(await in_thread(key_for, bob, "read", "trade"))
    await in_thread(ledger.open_account, user=bob, now=NOW)
    crowd = [
        bearer(key)
        for key in await in_thread(
            lambda: [key_for(person(f"p{n}"), "read", "trade") for n in range(40)]
        )
    ]
    async with httpx.AsyncClient(base_url=server.url, timeout=30) as client:
        with locked(stuck):
            waiting = [
                asyncio.create_task(
                    client.post(
                        f"/api/v1/markets/{stuck.pk}/trades", json=buy(yes, f"w{n}"), headers=who
                    )
                )
                for n, who in enumerate(crowd)
            ]
            await asyncio.sleep(0.5)
            for number in range(5):
                begun = time.monotonic()
                assert (await client.get("/api/v1/me", headers=headers)).status_code == 200
                placed = await client.post(
                    f"/api/v1/markets/{free.pk}/trades",
                    json=buy(other, f"f{number}"),
                    headers=headers,
                )
                assert placed.status_code == 201
                assert (await client.get(f"/api/v1/markets/{stuck.pk}/trades")).status_code == 200
                assert time.monotonic() - begun < 2, "nobody else waits for the lock"
            for answer in await asyncio.gather(*waiting):
                assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
                assert int(answer.headers["Retry-After"]) > 0
        again = await client.post(
            f"/api/v1/markets/{stuck.pk}/trades", json=buy(yes, "w0"), headers=crowd[0]
        )
        assert again.status_code == 201, "the same order goes through once the lock is gone"


def test_who_waits_for_a_locked_market_is_told_that_it_is_busy(market):
    with locked(market):
        begun = time.monotonic()
        with pytest.raises(Busy):
            lifecycle.pause_market(market_id=market.pk, actor=None, now=NOW)
        assert 1 < time.monotonic() - begun < 6
    lifecycle.pause_market(market_id=market.pk, actor=None, now=NOW)


def test_a_locked_market_does_not_keep_others_from_closing_in_time(make_market):
    stuck = make_market("Stuck?", close_at=LATER)
    free = make_market("Free?", close_at=LATER)
    Market.objects.update(close_at=NOW, open_at=None)
    with locked(stuck):
        clock.move_due_markets()
    assert Market.objects.get(pk=free.pk).status == "closed"
    assert Market.objects.get(pk=stuck.pk).status == "active"
    clock.move_due_markets()
    assert Market.objects.get(pk=stuck.pk).status == "closed"


def end_sessions(name):
    """End the sessions of an application, as a restart of PostgreSQL does, and wait until they are gone; return how many."""
    with psycopg.connect(database(), autocommit=True) as other:
        ended = other.execute(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = %s",
            [name],
        ).fetchone()[0]
        count = "SELECT count(*) FROM pg_stat_activity WHERE application_name = %s"
        wait_for(lambda: other.execute(count, [name]).fetchone()[0] == 0)
        return ended


async def test_after_a_restart_of_postgresql_nobody_gets_a_dead_connection(make_market, alice):
    market = await in_thread(make_market)
    staff = bearer(await in_thread(key_for, alice, "read", "staff"))
    with serving(PGAPPNAME="restarted") as server:
        async with httpx.AsyncClient(base_url=server.url, timeout=30) as client:
            ask = lambda: client.get(f"/api/v1/markets/{market.pk}/trades?limit=7", headers=staff)
            await asyncio.gather(*(ask() for _ in range(60)))  # fills the pool
            assert await in_thread(end_sessions, "restarted") >= 5
            assert [(await ask()).status_code for _ in range(30)] == [200] * 30
            await in_thread(end_sessions, "restarted")
            assert (await client.get("/?sort=newest")).status_code == 200
        assert "request_failed" not in server.output()


def test_the_same_in_a_process_without_an_event_loop(market, bob):
    trade(bob, market, order(yes_no(market)[0]))
    with connection.cursor() as cursor:
        cursor.execute("SET application_name = 'a worker'")
    connection.close()
    assert end_sessions("a worker") == 1
    trade(bob, market, order(yes_no(market)[0]))


async def test_a_wire_that_falls_silent_is_given_up_after_a_while(market, alice):
    with proxied(settings.DATABASES["default"]["PORT"]) as proxy:
        url = database().replace(f":{proxy.target}/", f":{proxy.port}/")
        with serving("tests.support.impatient", LONGEST_STREAM="600", DATABASE_URL=url) as server:
            async with httpx.AsyncClient(base_url=server.url, timeout=30) as client:
                ask = lambda: client.get(
                    f"/api/v1/markets/{market.pk}/trades?limit=7", headers={"Cookie": "a=b"}
                )
                await asyncio.gather(*(ask() for _ in range(40)))
                proxy.silence()
                begun = time.monotonic()
                answers = await asyncio.gather(*(ask() for _ in range(5)))
                assert {answer.status_code for answer in answers} <= {503, 200}
                assert 503 in {answer.status_code for answer in answers}
                assert time.monotonic() - begun < 10
                await in_thread(
                    wait_for, lambda: httpx.get(f"{server.url}/readyz").status_code == 200
                )
                assert {(await ask()).status_code for _ in range(20)} == {200}


async def test_a_page_is_503_while_the_database_is_away(market):
    with proxied(settings.DATABASES["default"]["PORT"]) as proxy:
        url = database().replace(f":{proxy.target}/", f":{proxy.port}/")
        with serving(DATABASE_URL=url) as server:
            async with httpx.AsyncClient(base_url=server.url, timeout=30) as client:
                assert (await client.get("/")).status_code == 200
                await in_thread(proxy.close)
                for path in (
                    "/?sort=newest",
                    f"/api/v1/markets/{market.pk}/trades",
                    f"/markets/{market.slug}?x=1",
                ):
                    answer = await client.get(path, headers={"Cookie": "sessionid=x"})
                    assert answer.status_code == 503, path
                    assert int(answer.headers["Retry-After"]) > 0
