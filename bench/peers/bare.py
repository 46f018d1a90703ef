"""Peer: the least that an ASGI application can do, with the very headers and body that the hot tier sends."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

BODY = Path(os.environ["PEER_BODY"]).read_bytes()
HEADERS = [
    (name.encode(), value.encode()) for name, value in json.loads(os.environ["PEER_HEADERS"])
]


async def application(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
        await send({"type": "http.response.body", "body": BODY})
