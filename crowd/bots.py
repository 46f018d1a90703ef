"""Traders with a key each, who look at the open markets and send orders."""

import asyncio
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import uuid4

import httpx
import structlog

from crowd.minds import MINDS, Memory, Mind, truth

logger = structlog.get_logger("bellwether.crowd")

LOOK_EVERY: Final = 5.0  # seconds between two looks at the list of markets
REST: Final = 2.0  # seconds after the server could not be reached


@dataclass
class Square:
    """What all bots see: the open markets as of the last look, and the truths that some know."""

    client: httpx.AsyncClient
    markets: list[dict[str, Any]] = field(default_factory=list)
    truths: dict[int, dict[int, float]] = field(default_factory=dict)

    async def look(self) -> None:
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

    async def act(self, square: Square) -> bool:
        """Look at one market and perhaps trade there; says whether a trade was made."""
        market = self.chance.choice(square.markets)
        wish = self.mind(market, self.memory, square.truths[market["id"]], self.chance)
        if wish is None:
            return False
        order = {
            "outcome_id": wish.outcome_id,
            "side": wish.side,
            **wish.size,
            "client_order_id": uuid4().hex,
        }
        headers = {"Authorization": f"Bearer {self.key}"}
        answer = await square.client.post(
            f"/api/v1/markets/{market['id']}/trades", json=order, headers=headers
        )
        if (
            answer.status_code != 201
        ):  # no money, too close to the edge, just closed: a trader shrugs
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
    """Trade with these keys until `seconds` have passed (None: for ever). Gives the number of trades made."""
    chance = random.Random(2026)
    bots = [
        Bot(key, MINDS[i % len(MINDS)], random.Random(chance.random()))
        for i, key in enumerate(keys)
    ]
    end = time.monotonic() + seconds if seconds else None
    made, looked = 0, 0.0
    async with httpx.AsyncClient(base_url=url, timeout=10) as client:
        square = Square(client)
        while end is None or time.monotonic() < end:
            try:
                if time.monotonic() - looked > LOOK_EVERY or not square.markets:
                    await square.look()
                    looked = time.monotonic()
                if square.markets:
                    made += await chance.choice(bots).act(square)
            except httpx.HTTPError as error:
                logger.warning("crowd_waits", error=repr(error))
                await asyncio.sleep(REST)
            await asyncio.sleep(chance.expovariate(per_second))
    return made
