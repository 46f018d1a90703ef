"""Viewers who come and go while much happens miss nothing."""

import asyncio
import json
import random
import re
import time

from markets.infra.threads import in_thread
from markets.models import Market
from tests.support.processes import Process, serving


class Churner:
    """A viewer who leaves and comes back at random."""

    def __init__(self, servers, path, dice, *, resumes=True):
        self.servers, self.path, self.dice, self.resumes = servers, path, dice, resumes
        self.heard: list[tuple[int, int]] = []  # (market_id, seq)
        self.position: str | None = "0"

    async def run(self, done):
        while not done(self):
            server = self.dice.choice(self.servers)
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port, limit=2**22)
            resume = f"Last-Event-ID: {self.position}\r\n" if self.resumes else ""
            writer.write(f"GET {self.path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{resume}\r\n".encode())
            leaves = time.monotonic() + self.dice.uniform(0.5, 8)
            try:
                while not done(self) and time.monotonic() < leaves:
                    async with asyncio.timeout(max(0.05, leaves - time.monotonic())):
                        self.read(await reader.readuntil(b"\n\n"))
            except (TimeoutError, asyncio.IncompleteReadError, ConnectionError):
                pass
            finally:
                writer.close()
            await asyncio.sleep(self.dice.uniform(0, 0.5))

    def read(self, block):
        data = re.search(rb"^data: (.*)$", block, re.MULTILINE)
        if data is None:
            return
        message = json.loads(data[1])
        if "markets" in message:
            self.heard += [(market["market_id"], market["seq"]) for market in message["markets"]]
        else:
            self.heard.append((message["market_id"], message["seq"]))
            self.position = str(message["seq"])


async def test_five_hundred_viewers_who_come_and_go_miss_nothing_of_twenty_thousand_events(
    make_market,
):
    dice = random.Random(4)
    markets = [await in_thread(make_market, f"Market {number}?") for number in range(20)]
    ids = [str(market.pk) for market in markets]
    most = 20_000
    with serving() as a, serving() as b:
        singles = [
            Churner([a, b], f"/api/v1/markets/{dice.choice(ids)}/stream", dice) for _ in range(250)
        ]
        lobby = [Churner([a, b], "/api/v1/markets/stream", dice, resumes=False) for _ in range(250)]
        final: dict[int, int] = {}

        def complete(viewer):
            if not final:
                return False
            if viewer in lobbyists:
                return latest(viewer) == final
            return bool(viewer.heard) and viewer.heard[-1][1] >= final[viewer.heard[-1][0]]

        lobbyists = set(lobby)
        watching = [asyncio.create_task(viewer.run(complete)) for viewer in singles + lobby]
        await asyncio.sleep(1)
        writers = [
            await in_thread(Process, "tests.support.writer", str(most // 4), *ids) for _ in range(4)
        ]
        for writer in writers:
            assert await in_thread(writer.child.wait, 200) == 0, writer.output()
            writer.end()
        final.update(await in_thread(lambda: dict(Market.objects.values_list("pk", "seq"))))
        assert sum(final.values()) == most + 20
        async with asyncio.timeout(60):
            await asyncio.gather(*watching)
        for viewer in singles:
            market_id = viewer.heard[0][0]
            assert [seq for _, seq in viewer.heard] == list(range(1, final[market_id] + 1))
        for viewer in lobby:
            assert latest(viewer) == final


def latest(viewer):
    """What the viewer takes for the state of each market: the last that it was told."""
    return dict(viewer.heard)
