"""The memory by itself: bounded, and rid of what is overtaken or has had its second."""

import asyncio
import time

from markets.caching import shared
from markets.web.hot.memory import MOST_CACHED_BYTES, Entry, Memory


async def test_a_million_answers_that_may_not_be_kept_leave_nothing_behind():
    memory = Memory()
    for number in range(1_000_000):
        made = memory.begin(key := ("/", str(number).encode()))
        if number % 100 == 0:
            memory.hear({"market_id": number, "type": "market.updated"})
        memory.end(key, made, None)
    await asyncio.sleep(1.1)
    memory.hear({"market_id": 1, "type": "trade"})
    assert (memory.size, memory.entries, memory.making, set(memory.outdated_at)) == (
        0,
        {},
        {},
        {1, shared.ALL_MARKETS},
    )


def test_memory_is_bounded_whatever_is_asked():
    memory = Memory()
    for number in range(100_000):
        memory.keep(
            ("/", str(number).encode()), Entry(number % 7, time.monotonic() + 1000, [], b"x" * 5000)
        )
    assert memory.size <= MOST_CACHED_BYTES
    assert memory.size == sum(
        entry.size + len(query) + 1 for (_, query), entry in memory.entries.items()
    )


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
