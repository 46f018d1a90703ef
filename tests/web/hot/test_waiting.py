"""Many who ask at once for what nobody has yet: one makes it, the others wait."""

import asyncio
import threading
import time

import pytest

from markets.caching import shared
from markets.infra.threads import in_thread
from markets.selectors import markets
from markets.web.hot.memory import memory
from tests.support.factory import edit_now
from tests.support.hot import url
from tests.support.processes import wait_for


async def test_a_thousand_who_miss_at_once_cost_one_read_of_the_database(
    client, market, monkeypatch
):
    made = []
    load = shared._load
    monkeypatch.setattr(
        shared,
        "_load",
        lambda market_id: (made.append(market_id), time.sleep(0.1), load(market_id))[2],
    )
    answers = await asyncio.gather(*(client.get(url(market)) for _ in range(1000)))
    assert {answer.status_code for answer in answers} == {200}
    assert made == [market.pk]


def test_hundreds_in_threads_without_the_memory_cost_one_too(market, monkeypatch):
    made = []
    load = shared._load
    monkeypatch.setattr(
        shared,
        "_load",
        lambda market_id: (made.append(market_id), time.sleep(0.1), load(market_id))[2],
    )

    async def all_of_them():
        return await asyncio.gather(*(shared.aread_market(market.pk) for _ in range(300)))

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
    looks.then = lambda: edit_now(market, name="Overtaken?")
    answers = await asyncio.gather(*(client.get(f"{url(market)}/trades") for _ in range(200)))
    assert {answer.status_code for answer in answers} == {200}
    assert len(looks) == 2


async def test_many_who_have_an_older_one_cost_one_look_too(client, market, looks):
    headers = {"If-None-Match": (await client.get(f"{url(market)}/trades")).headers["ETag"]}
    memory.clear()
    looks.clear()
    answers = await asyncio.gather(
        *(client.get(f"{url(market)}/trades", headers=headers) for _ in range(200))
    )
    assert {(answer.status_code, answer.content) for answer in answers} == {(304, b"")}
    assert len(looks) == 1


async def test_when_the_first_goes_away_another_makes_it(client, market, looks):
    first = asyncio.create_task(client.get(f"{url(market)}/trades"))
    others = [asyncio.create_task(client.get(f"{url(market)}/trades")) for _ in range(20)]
    await in_thread(wait_for, lambda: looks)
    first.cancel()
    assert {answer.status_code for answer in await asyncio.gather(*others)} == {200}
    assert len(looks) == 2


async def test_who_waited_is_not_given_what_was_begun_before_and_took_longer_than_a_second(
    client, market, looks
):
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
