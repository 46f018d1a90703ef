"""Traders with an API key each, who read the open markets and send orders."""

import asyncio
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import uuid4

import httpx
import structlog

from clients.minds import MINDS, Memory, Mind, truth

logger = structlog.get_logger("bellwether.crowd")

LIST_SECONDS: Final = 5.0  # between two reads of the list of markets
RETRY_SECONDS: Final = 2.0  # after the server could not be reached


@dataclass
class Exchange:
    """What all bots share: the open markets as last read, and the truths that some bots know."""

    client: httpx.AsyncClient
    markets: list[dict[str, Any]] = field(default_factory=list)
    truths: dict[int, dict[int, float]] = field(default_factory=dict)

    async def read(self) -> None:
        found = await self.client.get("/api/v1/markets/", params={"status": "active", "limit": 200})
        found.raise_for_status()
        self.markets = found.json()["items"]
        for market in self.markets:
            self.truths.setdefault(market["id"], truth(market))


@dataclass
class Bot:
    """One trader."""

    key: str
    mind: Mind
    chance: random.Random
    memory: Memory = field(default_factory=Memory)

    async def act(self, exchange: Exchange) -> bool:
        """Choose a market and perhaps trade there. Return whether a trade was made."""
        market = self.chance.choice(exchange.markets)
        wish = self.mind(market, self.memory, exchange.truths[market["id"]], self.chance)
        if wish is None:
            return False
        order = {
            "outcome_id": wish.outcome_id,
            "side": wish.side,
            **wish.size,
            "client_order_id": uuid4().hex,
        }
        headers = {"Authorization": f"Bearer {self.key}"}
        answer = await exchange.client.post(
            f"/api/v1/markets/{market['id']}/trades", json=order, headers=headers
        )
        if answer.status_code != 201:  # no money, price too near 0 or 1, just closed: no trade
            if answer.status_code in {401, 403}:
                raise PermissionError(answer.json()["detail"])
            return False
        placed = answer.json()
        self.memory.holdings[wish.outcome_id] = float(placed["position"]["shares"])
        for outcome in market["outcomes"]:
            if outcome["id"] == wish.outcome_id:
                outcome["price"] = placed["trade"]["price_after"]
        return True


async def run(url: str, keys: Sequence[str], *, per_second: float, seconds: float | None) -> int:
    """Trade with these keys for `seconds` (None: for ever); return the number of trades."""
    chance = random.Random(2026)
    bots = [
        Bot(key, MINDS[i % len(MINDS)], random.Random(chance.random()))
        for i, key in enumerate(keys)
    ]
    end = time.monotonic() + seconds if seconds else None
    made, read_at = 0, 0.0
    async with httpx.AsyncClient(base_url=url, timeout=10) as client:
        exchange = Exchange(client)
        while end is None or time.monotonic() < end:
            try:
                if time.monotonic() - read_at > LIST_SECONDS or not exchange.markets:
                    await exchange.read()
                    read_at = time.monotonic()
                if exchange.markets:
                    made += await chance.choice(bots).act(exchange)
            except httpx.HTTPError as error:
                logger.warning("crowd_waits", error=repr(error))
                await asyncio.sleep(RETRY_SECONDS)
            await asyncio.sleep(chance.expovariate(per_second))
    return made
