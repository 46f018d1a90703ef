"""Answers from memory are fresh: nobody is told what was overtaken."""

import asyncio
import os
import random
import signal
import time

import httpx
import psutil
import pytest
from django.utils import timezone

from config.dev import embedded
from markets.caching import shared
from markets.domain.orders import Order
from markets.infra.threads import in_thread
from markets.live import doorbell
from markets.models import Market
from markets.services import trading
from tests.support.factory import edit_now
from tests.support.hot import answers_from_memory, url
from tests.support.people import bearer, key_for
from tests.support.processes import serving


async def test_a_write_is_seen_by_the_next_read_in_the_same_process(client, market):
    for name in ("A?", "B?", "C?"):
        await in_thread(edit_now, market, name=name)
        assert (await client.get(url(market))).json()["name"] == name
        assert (await client.get("/api/v1/markets/")).json()["items"][0]["name"] == name


async def test_a_trade_moves_prices_and_not_the_shelves(client, market, bob):
    await client.get("/api/v1/markets/")
    await client.get("/api/v1/categories/")
    order = Order(
        outcome_id=await in_thread(lambda: market.outcomes.first().pk), side="buy", shares=1_000_000
    )
    await in_thread(
        trading.place_trade,
        market_id=market.pk,
        trader=bob,
        order=order,
        client_order_id="1",
        now=timezone.now(),
    )
    async with answers_from_memory() as hits:
        await client.get("/api/v1/categories/")
        assert (await client.get("/api/v1/markets/")).json()["items"][0]["trade_count"] == 1
    assert hits == [1]


async def test_an_answer_is_never_older_than_a_second_though_the_doorbell_is_silent(
    client, market, monkeypatch
):
    await client.get(url(market))
    monkeypatch.setattr(doorbell, "ring", lambda _message: None)
    await in_thread(edit_now, market, name="Told to nobody?")
    begun = time.monotonic()
    while (await client.get(url(market))).json()["name"] != "Told to nobody?":
        assert time.monotonic() - begun < 1.2
        await asyncio.sleep(0.02)


async def test_what_is_overtaken_while_it_is_made_is_not_kept(client, market, monkeypatch):
    """Read the old state, be overtaken, and only then answer: this reader may get the old state, the next must not."""
    has_read, may_answer, read = asyncio.Event(), asyncio.Event(), shared.aread_market

    async def slow(market_id):
        body = await read(market_id)
        has_read.set()
        await may_answer.wait()
        return body

    monkeypatch.setattr(shared, "aread_market", slow)
    reader = asyncio.create_task(client.get(url(market)))
    await has_read.wait()
    await in_thread(edit_now, market, name="Overtaken?")
    may_answer.set()
    assert (await reader).json()["name"] == "Will it rain?", (
        "the interleaving was not the one to test"
    )
    async with answers_from_memory() as hits:
        assert (await client.get(url(market))).json()["name"] == "Overtaken?"
    assert hits == [0]


class Reader:
    """Asks one process for one market after the other on one connection, and checks what it is told."""

    def __init__(self, server, markets, committed):
        self.server, self.markets, self.committed = server, markets, committed
        self.seen: dict[int, int] = {}
        self.oldest, self.count = 0.0, 0

    async def run(self, until):
        async with httpx.AsyncClient(base_url=self.server.url, timeout=20) as client:
            while not until.is_set():
                market_id = random.choice(self.markets)
                asked = time.monotonic()
                answer = await client.get(f"/api/v1/markets/{market_id}")
                assert answer.status_code == 200, answer.text
                seq = answer.json()["seq"]
                assert seq >= self.seen.get(market_id, 0), "seq went back on one connection"
                self.seen[market_id] = seq
                self.count += 1
                overtaken = self.committed.get((market_id, seq + 1))
                if overtaken is not None:
                    self.oldest = max(self.oldest, asked - overtaken)


@pytest.mark.parametrize("trouble", [False, True], ids=["all well", "Redis stops in the middle"])
async def test_readers_of_two_processes_never_see_an_old_state(
    make_market, bob, alice, monkeypatch, tmp_path, trouble
):
    """Eight writers edit and trade through both processes."""
    monkeypatch.setattr(embedded, "running", {})
    staff, trader = (
        await in_thread(key_for, alice, "read", "staff"),
        await in_thread(key_for, bob, "read", "trade"),
    )
    markets = {}
    for number in range(20):
        made = await in_thread(make_market, f"Market {number}?")
        markets[made.pk] = await in_thread(lambda m=made: m.outcomes.first().pk)
    ids = list(markets)
    committed: dict[
        tuple[int, int], float
    ] = {}  # when the answer to the write came: it was committed before

    async def write(server, number, until):
        headers = [bearer(trader), bearer(staff)]
        async with httpx.AsyncClient(base_url=server.url, timeout=20) as client:
            while not until.is_set():
                market_id = random.choice(ids)
                if number % 2:
                    order = {
                        "outcome_id": markets[market_id],
                        "side": "buy",
                        "shares": "0.02",
                        "client_order_id": f"{number}-{time.monotonic_ns()}",
                    }
                    answer = await client.post(
                        f"/api/v1/markets/{market_id}/trades", json=order, headers=headers[0]
                    )
                    if answer.status_code == 201:
                        committed[market_id, answer.json()["trade"]["seq"]] = time.monotonic()
                else:
                    version = (
                        await client.get(f"/api/v1/markets/{market_id}", headers=headers[1])
                    ).json()["version"]
                    answer = await client.patch(
                        f"/api/v1/markets/{market_id}",
                        json={"description": str(time.monotonic())},
                        headers={**headers[1], "If-Match": str(version)},
                    )
                    if answer.status_code == 200:
                        committed[market_id, answer.json()["seq"]] = time.monotonic()
                assert answer.status_code in {200, 201, 409, 412}, answer.text
                await asyncio.sleep(0.02)

    with embedded.valkey(tmp_path) as redis_url:
        settings = {"REDIS_URL": redis_url, "API_RATE_LIMIT": "1000000"}
        with serving(**settings) as a, serving(**settings) as b:
            end_writing, end_reading = asyncio.Event(), asyncio.Event()
            readers = [Reader(server, ids, committed) for server in (a, b, a, b)]
            reading = [asyncio.create_task(reader.run(end_reading)) for reader in readers]
            writing = [
                asyncio.create_task(write((a, b)[number % 2], number // 2, end_writing))
                for number in range(8)
            ]
            await asyncio.sleep(6)
            if trouble:
                port = int(redis_url.split(":")[-1].split("/")[0])
                pid = next(
                    c.pid
                    for c in psutil.net_connections("tcp")
                    if c.laddr.port == port and c.status == "LISTEN"
                )
                os.kill(pid, signal.SIGSTOP)
                await asyncio.sleep(4)
                os.kill(pid, signal.SIGCONT)
                await asyncio.sleep(4)
            end_writing.set()
            await asyncio.gather(*writing)
            truth = await in_thread(lambda: dict(Market.objects.values_list("pk", "seq")))
            await asyncio.sleep(1)
            end_reading.set()
            await asyncio.gather(*reading)
            assert len(committed) > 30
            assert min(reader.count for reader in readers) > 30
            for server in (a, b):
                async with httpx.AsyncClient(base_url=server.url) as client:
                    told = {
                        pk: (await client.get(f"/api/v1/markets/{pk}")).json()["seq"] for pk in ids
                    }
                assert told == truth
            assert max(reader.oldest for reader in readers) < 1.0
