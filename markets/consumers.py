"""The SSE doors (API.md, Live). An open stream is one consumer and one task: no thread, no channel of its own."""

from __future__ import annotations

import asyncio
import contextlib
import re
from typing import Any, Final
from urllib.parse import parse_qs

import structlog
from channels.exceptions import StopConsumer
from channels.generic.http import AsyncHttpConsumer
from django.db import DatabaseError

from config.logs import note_failure
from markets.api.problems import problem_bytes, problem_of
from markets.errors import Invalid, Refused
from markets.live import relay
from markets.live.frames import HEARTBEAT, HELLO, Frame
from markets.live.hub import Hub
from markets.live.mailbox import LatestMailbox, Mailbox

logger = structlog.get_logger("bellwether.live")

HEARTBEAT_EVERY: Final = 15.0  # seconds
LOBBY_PAUSE: Final = 0.2  # seconds between two writes: at most five states a second of each market
HEADERS: Final = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),  # nginx: pass every event on at once
]


class Stream(AsyncHttpConsumer):
    """A response that stays open. `join` gives the first frames, `leave` undoes it."""

    mailbox: Mailbox
    hub: Hub
    resumable = False
    pause = 0.0
    pump: asyncio.Task[None] | None = None

    async def join(self, after_seq: int | None) -> list[Frame]:
        raise NotImplementedError

    def leave(self) -> None:
        raise NotImplementedError

    def encode(self, frame: Frame) -> bytes:
        raise NotImplementedError

    async def http_request(self, message: dict[str, Any]) -> None:
        """Answer, and return: the base class would deliver no disconnect while its handler runs."""
        if message.get("more_body"):
            return
        try:
            if self.scope["method"] != "GET":
                await self._refuse(405, "method_not_allowed", "A stream is read with GET.")
            self.hub = await relay.hub()
            first = await self.join(self._after_seq())
        except Refused as error:
            await self._refuse(*problem_of(error))
        except (OSError, TimeoutError, DatabaseError) as error:
            note_failure(error)
            await self._refuse(503, "unavailable", "The stream cannot begin right now: try again in a moment.")
        await self.send_headers(headers=HEADERS)
        await self.send_body(HELLO + b"".join(map(self.encode, first)), more_body=True)
        self.pump = asyncio.create_task(self._pump())

    def _after_seq(self) -> int | None:
        """Where the viewer left off. A browser's header that makes no sense starts afresh; a wrong parameter is an error."""
        header = dict(self.scope["headers"]).get(b"last-event-id")
        if header is not None:
            return int(header) if re.fullmatch(rb"[0-9]{1,18}", header) else None
        query = parse_qs(self.scope["query_string"].decode("latin-1"), keep_blank_values=True)
        if unknown := set(query) - ({"after_seq"} if self.resumable else set()):
            raise Invalid(**dict.fromkeys(unknown, "Unknown parameter."))
        given = query.get("after_seq", [""])[-1]
        if "after_seq" in query and not re.fullmatch(r"[0-9]{1,18}", given):
            raise Invalid(after_seq="Give the seq of the last event you have.")
        return int(given) if given else None

    async def _refuse(self, status: int, code: str, detail: str, **more: Any) -> None:
        headers = [(b"content-type", b"application/problem+json"), (b"cache-control", b"no-store")]
        if status == 405:
            headers.append((b"allow", b"GET"))
        await self.send_response(status, problem_bytes(status, code, detail, **more), headers=headers)
        raise StopConsumer

    async def _pump(self) -> None:
        """Write what arrives until the viewer goes."""
        try:
            while True:
                frames = await self.mailbox.take(HEARTBEAT_EVERY)
                if self.mailbox.overflowed:
                    self.leave()
                    frames = await self.join(None)  # too far behind: begin again with the state as it is
                await self.send_body(b"".join(map(self.encode, frames)) or HEARTBEAT, more_body=True)
                if self.pause:
                    await asyncio.sleep(self.pause)
        except asyncio.CancelledError:
            raise
        except Exception:
            logger.exception("stream_failed")
            with contextlib.suppress(Exception):
                await self.send_body(b"")
        finally:
            self.leave()

    async def http_disconnect(self, _message: dict[str, Any]) -> None:
        if self.pump is not None:
            self.pump.cancel()
        raise StopConsumer


class MarketStream(Stream):
    """`GET /api/v1/markets/{id}/stream`: every event of one market, resumable."""

    resumable = True

    async def join(self, after_seq: int | None) -> list[Frame]:
        self.mailbox = Mailbox()
        return await self.hub.join_market(self.scope["url_route"]["kwargs"]["market_id"], self.mailbox, after_seq)

    def leave(self) -> None:
        self.hub.leave_market(self.scope["url_route"]["kwargs"]["market_id"], self.mailbox)

    def encode(self, frame: Frame) -> bytes:
        return frame.sse


class LobbyStream(Stream):
    """`GET /api/v1/markets/stream`: the latest state of every market."""

    pause = LOBBY_PAUSE

    async def join(self, after_seq: int | None) -> list[Frame]:  # noqa: ARG002  (there is no position to resume from)
        self.mailbox = LatestMailbox()
        return await self.hub.join_lobby(self.mailbox)

    def leave(self) -> None:
        self.hub.leave_lobby(self.mailbox)  # type: ignore[arg-type]

    def encode(self, frame: Frame) -> bytes:
        return frame.sse_without_id
