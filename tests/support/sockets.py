"""A reader of the WebSocket over a real socket."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import websockets

from tests.support.sse import Quiet


class Socket(Quiet):
    def __init__(self, connection: websockets.ClientConnection) -> None:
        self.connection = connection

    async def ask(self, **command: Any) -> Any:
        await self.connection.send(json.dumps(command))
        return await self.next()

    async def next(self, patience: float = 5.0) -> Any:
        async with asyncio.timeout(patience):
            return json.loads(await self.connection.recv())


@asynccontextmanager
async def connected(server: Any, **options: Any) -> AsyncIterator[Socket]:
    url = server.url.replace("http", "ws") + "/ws/v1/stream"
    async with websockets.connect(url, max_size=None, **options) as connection:
        yield Socket(connection)
