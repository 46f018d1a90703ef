"""Server-sent events: one market, all of them, or what is the caller's own."""

import asyncio
import contextlib
import re
from typing import Any, Final
from urllib.parse import parse_qs

import structlog
from channels.exceptions import StopConsumer
from channels.generic.http import AsyncHttpConsumer
from django.db import DatabaseError

from markets.caching import shared
from markets.domain.errors import Invalid, Refused
from markets.infra.request_context import note_failure
from markets.live import relay
from markets.live.frames import HEARTBEAT, Frame, retry
from markets.live.lobby import LobbyFeed
from markets.live.market import MarketFeed
from markets.live.viewer import Feed, Viewer
from markets.web.problems import problem_bytes, problem_of
from markets.web.streams.connection import Connection

logger = structlog.get_logger("bellwether.live")

HEADERS: Final = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),  # nginx: pass every event on at once
]


class Stream(Connection, AsyncHttpConsumer):
    """A response that stays open: one viewer with one feed."""

    position = ""  # what a position to resume from looks like, as a regular expression; empty: it cannot be resumed

    async def feed(self, viewer: Viewer) -> Feed:
        """What the viewer came for. Raises Refused."""
        raise NotImplementedError

    def encode(self, frame: Frame) -> bytes:
        return frame.sse

    async def http_request(self, message: dict[str, Any]) -> None:
        """Answer, and return: the base class would deliver no disconnect while its handler runs."""
        if message.get("more_body"):
            return
        try:
            if self.scope["method"] != "GET":
                await self._refuse(405, "method_not_allowed", "A stream is read with GET.")
            self.hub = await relay.hub()
            after = self._after()
            viewer = self.admit()
            await viewer.follow(await self.feed(viewer), after)
        except Refused as error:
            await self._refuse(*problem_of(error), retry_after=getattr(error, "retry_after", None))
        except (OSError, TimeoutError, DatabaseError) as error:
            note_failure(error)
            await self._refuse(
                503,
                "unavailable",
                "The stream cannot begin right now: try again in a moment.",
                retry_after=2,
            )
        await self.send_headers(headers=HEADERS)
        self.pump = asyncio.create_task(self._pump(viewer))

    def _after(self) -> str | None:
        """Where the viewer left off. A browser's header that makes no sense starts afresh; a wrong parameter is an error."""
        header = dict(self.scope["headers"]).get(b"last-event-id")
        if header is not None:
            text = header.decode("latin-1")
            return text if self.position and re.fullmatch(self.position, text, re.ASCII) else None
        query = parse_qs(self.scope["query_string"].decode("latin-1"), keep_blank_values=True)
        if unknown := set(query) - ({"after_seq"} if self.position else set()):
            raise Invalid(**dict.fromkeys(unknown, "Unknown parameter."))
        given = query.get("after_seq", [""])[-1]
        if "after_seq" in query and not re.fullmatch(self.position, given, re.ASCII):
            raise Invalid(after_seq="Give the id of the last event you have.")
        return given or None

    async def _refuse(
        self, status: int, code: str, detail: str, *, retry_after: int | None = None
    ) -> None:
        headers = [(b"content-type", b"application/problem+json"), (b"cache-control", b"no-store")]
        more: dict[str, Any] = {}
        if status == 405:
            headers.append((b"allow", b"GET"))
        if status == 401:
            headers.append((b"www-authenticate", b"Bearer"))
        if retry_after is not None:
            headers.append((b"retry-after", str(retry_after).encode()))
            more["retry_after"] = retry_after
        await self.send_response(
            status, problem_bytes(status, code, detail, **more), headers=headers
        )
        raise StopConsumer

    async def _pump(self, viewer: Viewer) -> None:
        """Write what arrives until the viewer goes or is asked to come back later."""
        send, encode, clock = self.base_send, self.encode, viewer.clock
        begin = retry()
        try:
            while viewer.return_ms is None:
                frames = await viewer.next()
                body = begin + b"".join(map(encode, frames)) or HEARTBEAT
                begin = b""
                viewer.writing_since = clock()
                await send({"type": "http.response.body", "body": body, "more_body": True})
                viewer.writing_since, viewer.wrote_at = None, clock()
            await self.send_body(retry(viewer.return_ms))
        except Exception:
            logger.exception("stream_failed")
            with contextlib.suppress(Exception):
                await self.send_body(retry())
        finally:
            self.hub.dismiss(viewer)

    async def http_disconnect(self, _message: dict[str, Any]) -> None:
        raise StopConsumer


class MarketStream(Stream):
    """`GET /api/v1/markets/{id}/stream`: every event of one market, resumable."""

    position = "[0-9]{1,18}"

    async def feed(self, viewer: Viewer) -> Feed:
        market_id = self.scope["url_route"]["kwargs"]["market_id"]
        return MarketFeed(viewer, self.hub.topics, market_id, shared.read_market)


class LobbyStream(Stream):
    """`GET /api/v1/markets/stream`: the latest state of every market."""

    async def feed(self, viewer: Viewer) -> Feed:
        return LobbyFeed(viewer, self.hub.lobby)

    def encode(self, frame: Frame) -> bytes:
        return frame.sse_without_id


class PersonStream(Stream):
    """`GET /api/v1/me/stream`: the caller's own fills, balance and notifications, with a key or a page's session."""

    position = r"[0-9]{1,18}\.[0-9]{1,18}"

    async def feed(self, viewer: Viewer) -> Feed:
        return await self.own_feed(viewer)
