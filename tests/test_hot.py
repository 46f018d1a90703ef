"""Answers from memory: fresh, bounded, and for nobody in particular."""

import asyncio
import logging
import os
import random
import signal
import threading
import time
from contextlib import asynccontextmanager

import httpx
import psutil
import pytest
from django.db import connection
from django.utils import timezone

from config import embedded
from markets import cache
from markets.api import answers
from markets.hot import layer
from markets.hot.memory import MOST, Entry, Memory, memory
from markets.live import doorbell
from markets.models import Market
from markets.selectors import markets
from markets.services import catalogue, trading
from markets.services.trading import Order
from markets.threads import in_thread
from tests.conftest import bearer, key_for, react_to_all, wait_for
from tests.test_live import serving


def edit(market, name):
    catalogue.edit_market(market_id=market.pk, actor=None, now=timezone.now(), changes={"name": name})


def url(market):
    return f"/api/v1/markets/{market.pk}"


@asynccontextmanager
async def answers_from_memory():
    """How many answers came from memory within this block."""
    before, count = memory.hits, []
    yield count
    count.append(memory.hits - before)


async def test_the_second_reader_is_answered_from_memory_with_the_same_bytes(client, market):
    first = await client.get(url(market))
    async with answers_from_memory() as hits:
        second = await client.get(url(market))
    assert hits == [1]
    assert second.content == first.content
    differing = {"x-request-id"}
    assert {k: v for k, v in second.headers.items() if k not in differing} == {
        k: v for k, v in first.headers.items() if k not in differing
    }
    assert second.headers["X-Request-ID"] != first.headers["X-Request-ID"]


@pytest.mark.parametrize(
    "path",
    [
        *("markets/{}", "markets/{}/trades", "markets/{}/history", "markets/{}/history?points=9", "markets/{}/events"),
        *("markets/", "markets/?sort=volume", "categories/", "tags/"),
    ],
)
async def test_every_public_read_has_the_tier_by_its_declaration(client, market, path):
    address = "/api/v1/" + path.format(market.pk)
    assert (await client.get(address)).status_code == 200
    async with answers_from_memory() as hits:
        assert (await client.get(address)).status_code == 200
    assert hits == [1]


async def test_pages_for_nobody_have_it_too(client, market):
    for address in ("/", f"/markets/{market.slug}"):
        await client.get(address)
        async with answers_from_memory() as hits:
            assert "Will it rain?" in (await client.get(address)).text
        assert hits == [1], address


async def test_a_write_is_seen_by_the_next_read_in_the_same_process(client, market):
    for name in ("A?", "B?", "C?"):
        await in_thread(edit, market, name)
        assert (await client.get(url(market))).json()["name"] == name
        assert (await client.get("/api/v1/markets/")).json()["items"][0]["name"] == name


async def test_a_trade_moves_prices_and_not_the_shelves(client, market, bob):
    await client.get("/api/v1/markets/")
    await client.get("/api/v1/categories/")
    order = Order(outcome_id=await in_thread(lambda: market.outcomes.first().pk), side="buy", shares=1_000_000)
    await in_thread(trading.place_trade, market_id=market.pk, trader=bob, order=order, client_order_id="1", now=timezone.now())
    async with answers_from_memory() as hits:
        await client.get("/api/v1/categories/")
        assert (await client.get("/api/v1/markets/")).json()["items"][0]["trade_count"] == 1
    assert hits == [1]


async def test_an_answer_is_never_older_than_a_second_though_the_doorbell_is_silent(client, market, monkeypatch):
    await client.get(url(market))
    monkeypatch.setattr(doorbell, "ring", lambda _message: None)
    await in_thread(edit, market, "Told to nobody?")
    begun = time.monotonic()
    while (await client.get(url(market))).json()["name"] != "Told to nobody?":
        assert time.monotonic() - begun < 1.2
        await asyncio.sleep(0.02)


async def test_what_is_overtaken_while_it_is_made_is_not_kept(client, market, monkeypatch):
    """Read the old state, be overtaken, and only then answer: this reader may get the old state, the next must not."""
    has_read, may_answer, read = asyncio.Event(), asyncio.Event(), cache.aread_market

    async def slow(market_id):
        body = await read(market_id)
        has_read.set()
        await may_answer.wait()
        return body

    monkeypatch.setattr(cache, "aread_market", slow)
    reader = asyncio.create_task(client.get(url(market)))
    await has_read.wait()
    await in_thread(edit, market, "Overtaken?")
    may_answer.set()
    assert (await reader).json()["name"] == "Will it rain?", "the interleaving was not the one to test"
    async with answers_from_memory() as hits:
        assert (await client.get(url(market))).json()["name"] == "Overtaken?"
    assert hits == [0]


def test_a_shared_answer_that_is_overtaken_while_it_is_made_is_not_served(market):
    has_read, may_store, seen = threading.Event(), threading.Event(), []

    def slow():
        name = Market.objects.get(pk=market.pk).name
        has_read.set()
        assert may_store.wait(10)
        return name.encode()

    def read(make):
        return asyncio.run(cache.aread(market.pk, "test", make))

    def first():
        seen.append(read(slow))
        connection.close()

    reader = threading.Thread(target=first)
    reader.start()
    assert has_read.wait(10)
    edit(market, "Overtaken?")
    may_store.set()
    reader.join(10)
    assert seen == [b"Will it rain?"], "the interleaving was not the one to test"
    assert read(lambda: Market.objects.get(pk=market.pk).name.encode()) == b"Overtaken?"
    assert read(lambda: b"not asked") == b"Overtaken?", "what was made after it is kept"


async def test_a_thousand_who_miss_at_once_cost_one_read_of_the_database(client, market, monkeypatch):
    made = []
    load = cache._load
    monkeypatch.setattr(cache, "_load", lambda market_id: (made.append(market_id), time.sleep(0.1), load(market_id))[2])
    answers = await asyncio.gather(*(client.get(url(market)) for _ in range(1000)))
    assert {answer.status_code for answer in answers} == {200}
    assert made == [market.pk]


def test_a_thousand_in_threads_without_the_memory_cost_one_too(market, monkeypatch):
    made = []
    load = cache._load
    monkeypatch.setattr(cache, "_load", lambda market_id: (made.append(market_id), time.sleep(0.1), load(market_id))[2])

    async def all_of_them():
        return await asyncio.gather(*(cache.aread_market(market.pk) for _ in range(1000)))

    assert len(set(asyncio.run(all_of_them()))) == 1
    assert made == [market.pk]


@pytest.fixture
def looks(monkeypatch):
    """Each look at the database for a list of trades, which Redis does not keep. `looks.then` happens during the first."""

    class Looks(list):
        then = staticmethod(lambda: None)

    looks, head = Looks(), markets.head

    def slow(market_id, **facts):
        looks.append(market_id)
        found = head(market_id, **facts)
        if len(looks) == 1:
            looks.then()
        time.sleep(0.2)
        return found

    monkeypatch.setattr(markets, "head", slow)
    return looks


async def test_many_who_ask_while_it_is_overtaken_cost_one_look_more(client, market, looks):
    looks.then = lambda: edit(market, "Overtaken?")
    answers = await asyncio.gather(*(client.get(f"{url(market)}/trades") for _ in range(200)))
    assert {answer.status_code for answer in answers} == {200}
    assert len(looks) == 2


async def test_many_who_have_an_older_one_cost_one_look_too(client, market, looks):
    headers = {"If-None-Match": (await client.get(f"{url(market)}/trades")).headers["ETag"]}
    memory.clear()
    looks.clear()
    answers = await asyncio.gather(*(client.get(f"{url(market)}/trades", headers=headers) for _ in range(200)))
    assert {(answer.status_code, answer.content) for answer in answers} == {(304, b"")}
    assert len(looks) == 1


async def test_when_the_first_goes_away_another_makes_it(client, market, looks):
    first = asyncio.create_task(client.get(f"{url(market)}/trades"))
    others = [asyncio.create_task(client.get(f"{url(market)}/trades")) for _ in range(20)]
    await in_thread(wait_for, lambda: looks)
    first.cancel()
    assert {answer.status_code for answer in await asyncio.gather(*others)} == {200}
    assert len(looks) == 2


async def test_who_waited_is_not_given_what_was_begun_before_and_took_longer_than_a_second(client, market, looks):
    """The first read the old state and is slow; the second asks after the change, of which nobody was told."""
    release = threading.Event()
    looks.then = lambda: release.wait(10)
    first = asyncio.create_task(client.get(f"{url(market)}/trades"))
    await in_thread(wait_for, lambda: looks)
    second = asyncio.create_task(client.get(f"{url(market)}/trades"))
    await asyncio.sleep(1.1)
    release.set()
    assert (await first).status_code == (await second).status_code == 200
    assert len(looks) == 2


async def test_an_answer_that_sets_a_cookie_is_not_kept(client, market, monkeypatch):
    answer = answers.public

    def with_cookie(*args, **facts):
        response = answer(*args, **facts)
        response.set_cookie("who", "somebody")
        return response

    monkeypatch.setattr(answers, "public", with_cookie)
    for _ in range(2):
        assert (await client.get(url(market))).cookies["who"] == "somebody"
        client.cookies.clear()
    assert not memory.entries


async def test_an_answer_that_is_too_large_passes_whole_and_is_not_kept(client, market, monkeypatch):
    monkeypatch.setattr(layer, "LARGEST", 10)
    for _ in range(2):
        assert (await client.get(url(market))).json()["id"] == market.pk
    assert not memory.entries
    assert not memory.making


async def test_a_page_with_other_parameters_is_not_kept(client, market):
    for number in range(3):
        assert (await client.get(f"/?colour={number}")).status_code == 200
        assert (await client.get(f"{market.get_absolute_url()}?colour={number}")).status_code == 200
    assert not memory.entries


async def test_of_repeated_parameters_the_order_matters(client, make_market):
    for name in ("Rain?", "Snow?"):
        await in_thread(make_market, name)
    await in_thread(react_to_all)
    for first, last in (("rain", "Snow"), ("snow", "Rain")):
        page = (await client.get(f"/?q={first}&q={last}")).text
        assert f"{last}?" in page


async def test_who_has_it_already_gets_304_from_memory(client, market):
    tag = (await client.get(url(market))).headers["ETag"]
    async with answers_from_memory() as hits:
        for given in (tag, f"W/{tag}", f'"other", {tag}', "*"):
            answer = await client.get(url(market), headers={"If-None-Match": given})
            assert (answer.status_code, answer.content, answer.headers["ETag"]) == (304, b"", tag)
            assert "X-Request-ID" in answer.headers
        assert (await client.get(url(market), headers={"If-None-Match": '"other"'})).status_code == 200
    assert hits == [5]


async def test_head_is_get_without_the_body(client, market):
    cold = await client.head(url(market))
    full = await client.get(url(market))
    warm = await client.head(url(market))
    for answer in (cold, warm):
        assert (answer.status_code, answer.content) == (200, b"")
        assert answer.headers["Content-Length"] == str(len(full.content))
        assert answer.headers["ETag"] == full.headers["ETag"]


async def test_the_order_of_parameters_does_not_matter(client, market):
    await client.get("/api/v1/markets/?limit=5&sort=volume&status=active")
    async with answers_from_memory() as hits:
        await client.get("/api/v1/markets/?status=active&limit=5&sort=volume")
    assert hits == [1]
    assert len(memory.entries) == 1


async def test_what_is_not_public_or_not_an_answer_is_not_kept(client, market, make_market, bob):
    draft = await in_thread(make_market, "Draft?", status="draft")
    key = await in_thread(key_for, bob)
    for address in (
        url(draft),
        "/api/v1/markets/4711",
        "/api/v1/markets/?colour=red",
        "/api/v1/nothing",
        "/healthz",
        "/metrics",
        "/admin/login/",
    ):
        await client.get(address)
    await client.get("/api/v1/me", headers=bearer(key))
    await client.post(f"{url(market)}/quote", json={"outcome_id": 1, "side": "buy", "shares": "1"})
    assert not memory.entries
    assert not memory.making


async def test_unknown_ids_leave_nothing_behind(client, world):
    for first in range(0, 1000, 500):
        await asyncio.gather(*(client.get(f"/api/v1/markets/{10**9 + first + n}") for n in range(500)))
    assert not memory.entries
    assert not memory.making


async def test_a_million_answers_that_may_not_be_kept_leave_nothing_behind():
    memory = Memory()
    for number in range(1_000_000):
        made = memory.begin(key := ("/", str(number).encode()))
        if number % 100 == 0:
            memory.hear({"market_id": number, "type": "market.updated"})
        memory.end(key, made, None)
    await asyncio.sleep(1.1)
    memory.hear({"market_id": 1, "type": "trade"})
    assert (memory.size, memory.entries, memory.making, set(memory.moved)) == (0, {}, {}, {1, cache.EVERY})


async def test_a_question_mark_in_the_path_is_not_the_query(client, market):
    assert (await client.get(f"{url(market)}%3F")).status_code == 404
    assert (await client.get(url(market))).status_code == 200
    assert (await client.get(f"{url(market)}%3F")).status_code == 404


def test_memory_is_bounded_whatever_is_asked():
    memory = Memory()
    for number in range(100_000):
        memory.keep(("/", str(number).encode()), Entry(number % 7, time.monotonic() + 1000, [], b"x" * 5000))
    assert memory.size <= MOST
    assert memory.size == sum(entry.size + len(query) + 1 for (_, query), entry in memory.entries.items())


def test_an_event_drops_what_speaks_of_its_market_and_nothing_else():
    memory = Memory()
    for about in range(1, 8):
        memory.keep(("/", str(about).encode()), Entry(about, time.monotonic(), [], b"x"))
    memory.hear({"market_id": 3, "type": "trade"})
    assert [about for about in range(1, 8) if memory.get(("/", str(about).encode())) is None] == [3]


def test_what_has_had_its_second_makes_room():
    memory = Memory()
    for number in range(1000):
        memory.keep(("/", str(number).encode()), Entry(1, time.monotonic() - 2, [], b"x"))
    assert len(memory.entries) == 1


async def test_nothing_with_a_key_or_a_cookie_is_kept_or_served_from_memory(client, make_market, alice, bob):
    public = await in_thread(make_market, "Public?")
    draft = await in_thread(make_market, "Secret?", status="draft")
    staff = bearer(await in_thread(key_for, alice, "read", "staff"))
    assert len((await client.get("/api/v1/markets/", headers=staff)).json()["items"]) == 2
    assert not memory.entries
    assert [m["id"] for m in (await client.get("/api/v1/markets/")).json()["items"]] == [public.pk]
    async with answers_from_memory() as hits:
        assert {m["id"] for m in (await client.get("/api/v1/markets/", headers=staff)).json()["items"]} == {public.pk, draft.pk}
        assert (await client.get(url(public), headers=bearer(await in_thread(key_for, bob)))).headers["RateLimit-Limit"]
        assert (await client.get(url(public), headers=bearer("bw_00000000_wrong"))).status_code == 401
        assert (await client.get(url(public), headers={"Cookie": "sessionid=nonsense"})).status_code == 200
    assert hits == [0]


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Forwarded-For": "1.2.3.4"},
        {"X-Forwarded-Host": "evil.example"},
        {"X-Forwarded-Proto": "https"},
        {"X-Forwarded-Prefix": "/evil"},
        {"X-Original-URL": "/admin/"},
        {"X-HTTP-Method-Override": "DELETE"},
        {"Accept": "text/html"},
        {"Accept-Encoding": "gzip, br"},
        {"Accept-Language": "de"},
        {"Vary": "*"},
        {"Cache-Control": "no-store"},
        {"Range": "bytes=0-3"},
        {"If-Range": '"x"', "Range": "bytes=0-3"},
        {"If-Modified-Since": "Wed, 21 Oct 2037 07:28:00 GMT"},
        {"Origin": "https://evil.example"},
    ],
)
async def test_tricks_with_headers_neither_poison_nor_leak(client, market, headers):
    plain = (await client.get(url(market))).content
    memory.clear()
    poisoning = await client.get(url(market), headers=headers)
    assert (poisoning.status_code, poisoning.content) == (200, plain)
    after = await client.get(url(market))
    assert (after.status_code, after.content) == (200, plain)
    assert not {"evil", "gzip"} & set(" ".join(after.headers.values()).replace(".", " ").split())
    again = await client.get(url(market), headers=headers)
    assert (again.status_code, again.content) == (200, plain)


async def test_a_wrong_host_is_refused_hot_or_not(client, market):
    await client.get(url(market))
    for host in ("evil.example", "", "a b", "127.0.0.1@evil.example"):
        assert (await client.get(url(market), headers={"Host": host})).status_code == 400, host
    assert (await client.get(url(market))).status_code == 200


async def test_a_request_id_is_taken_if_it_is_sane(client, market):
    await client.get(url(market))
    assert (await client.get(url(market), headers={"X-Request-ID": "mine-1"})).headers["X-Request-ID"] == "mine-1"
    for wild in ("x" * 65, "a b", "<script>"):
        assert (await client.get(url(market), headers={"X-Request-ID": wild})).headers["X-Request-ID"] != wild


async def test_one_in_so_many_is_logged_and_the_metrics_count_all(client, market, monkeypatch, caplog):
    from config.asgi import application

    await client.get(url(market))
    for every, lines in ((1, 20), (5, 4)):
        monkeypatch.setattr(application, "log_every", every)
        caplog.clear()
        with caplog.at_level(logging.INFO, "bellwether"):
            for _ in range(20):
                await client.get(url(market))
        logged = [r.msg for r in caplog.records if isinstance(r.msg, dict) and r.msg.get("hot")]
        assert len(logged) == lines
        assert {"request_id", "path", "status"} <= set(logged[0])
    text = (await client.get("/metrics")).text
    assert f"bellwether_hot_hits_total {float(memory.hits)}" in text


async def test_with_https_only_a_plain_request_is_redirected_hot_or_not(client, market, monkeypatch):
    from config.asgi import application

    await client.get(url(market))
    monkeypatch.setattr(application, "secure_only", True)
    async with answers_from_memory() as hits:
        await client.get(url(market))
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
async def test_readers_of_two_processes_never_see_an_old_state(make_market, bob, alice, monkeypatch, tmp_path, trouble):
    """Eight writers edit and trade through both processes."""
    monkeypatch.setattr(embedded, "running", {})
    staff, trader = await in_thread(key_for, alice, "read", "staff"), await in_thread(key_for, bob, "read", "trade")
    markets = {}
    for number in range(20):
        made = await in_thread(make_market, f"Market {number}?")
        markets[made.pk] = await in_thread(lambda m=made: m.outcomes.first().pk)
    ids = list(markets)
    committed: dict[tuple[int, int], float] = {}  # when the answer to the write came: it was committed before

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
                    answer = await client.post(f"/api/v1/markets/{market_id}/trades", json=order, headers=headers[0])
                    if answer.status_code == 201:
                        committed[market_id, answer.json()["trade"]["seq"]] = time.monotonic()
                else:
                    version = (await client.get(f"/api/v1/markets/{market_id}", headers=headers[1])).json()["version"]
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
            writing = [asyncio.create_task(write((a, b)[number % 2], number // 2, end_writing)) for number in range(8)]
            await asyncio.sleep(6)
            if trouble:
                port = int(redis_url.split(":")[-1].split("/")[0])
                pid = next(c.pid for c in psutil.net_connections("tcp") if c.laddr.port == port and c.status == "LISTEN")
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
                    told = {pk: (await client.get(f"/api/v1/markets/{pk}")).json()["seq"] for pk in ids}
                assert told == truth
            assert max(reader.oldest for reader in readers) < 1.0
