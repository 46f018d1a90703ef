"""A reader of server-sent events over a real socket."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx


class Quiet:
    """Something with `next()`."""

    async def silent_for(self, seconds: float) -> bool:
        try:
            await self.next(seconds)  # type: ignore[attr-defined]
        except TimeoutError:
            return True
        return False


class Stream(Quiet):
    """The events of one open response; `next()` gives `(id, event, data)`."""

    def __init__(self, response: httpx.Response) -> None:
        self.response = response
        self.lines = response.aiter_lines()

    async def next(self, patience: float = 5.0) -> tuple[str | None, str, Any]:
        found: dict[str, str] = {}
        async with asyncio.timeout(patience):
            async for line in self.lines:
                if line == "" and "data" in found:
                    return found.get("id"), found["event"], json.loads(found["data"])
                name, _, value = line.partition(": ")
                if name:
                    found[name] = value
        raise EOFError

    async def seqs(self, count: int) -> list[int]:
        return [(await self.next())[2]["seq"] for _ in range(count)]


@asynccontextmanager
async def listening(url: str, **headers: str) -> AsyncIterator[Stream]:
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    async with (
        httpx.AsyncClient(timeout=30) as client,
        client.stream("GET", url, headers=names) as response,
    ):
        assert response.status_code == 200, (await response.aread()).decode()
        yield Stream(response)


def stream_of(server: Any, market: Any) -> str:
    return f"{server.url}/api/v1/markets/{market.pk}/stream"
