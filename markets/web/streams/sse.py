"""Server-sent events: one market, all markets, or the caller's own news."""

import re
from typing import Any, Final
from urllib.parse import parse_qs

from channels.exceptions import StopConsumer
from channels.generic.http import AsyncHttpConsumer
from django.db import DatabaseError

from markets.domain.errors import Invalid, Refused
from markets.infra.request_context import note_failure
from markets.live import relay
from markets.live.frames import HEARTBEAT, Frame, retry
from markets.live.viewer import Viewer
from markets.web.problems import problem_bytes, problem_of
from markets.web.streams.connection import Connection

HEADERS: Final = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),  # nginx: do not wait for more
]


class Stream(Connection, AsyncHttpConsumer):
    """One viewer with one feed."""

    key = ""  # of the feed; empty for the market in the path
    position = ""  # pattern of a position to resume from; empty if there are none

    def encode(self, frame: Frame) -> bytes:
        return frame.sse

    async def http_request(self, message: dict[str, Any]) -> None:
        """Begin and return: no disconnect arrives while a handler runs."""
        if message.get("more_body"):
            return
        try:
            if self.scope["method"] != "GET":
                await self._refuse(405, "method_not_allowed", "A stream is read with GET.")
            self.hub = await relay.hub()
            after = self._after()
            viewer = self.admit()
            key = self.key or self.scope["url_route"]["kwargs"]["market_id"]
            await viewer.follow(await self.feed(viewer, key), after)
        except Refused as error:
            await self._refuse(*problem_of(error), retry_after=getattr(error, "retry_after", None))
        except (OSError, TimeoutError, DatabaseError) as error:
            note_failure(error)
            detail = "The stream cannot begin right now: try again in a moment."
            await self._refuse(503, "unavailable", detail, retry_after=2)
        await self.send_headers(headers=HEADERS)
        self.start_writing(viewer)

    def _after(self) -> str | None:
        """Return the position to resume from. Raise Invalid for a malformed parameter.

        A malformed `Last-Event-ID` is ignored: a browser cannot correct it.
        """
        header = dict(self.scope["headers"]).get(b"last-event-id")
        if header is not None:
            text = header.decode("latin-1")
            return text if self.position and re.fullmatch(self.position, text, re.ASCII) else None
        query = parse_qs(self.scope["query_string"].decode("latin-1"), keep_blank_values=True)
        if unknown := set(query) - ({"after_seq"} if self.position else set()):
            raise Invalid(**dict.fromkeys(unknown, "Unknown parameter."))
        if "after_seq" not in query:
            return None
        given: str = query["after_seq"][-1]
        if not re.fullmatch(self.position, given, re.ASCII):
            raise Invalid(after_seq="Give the id of the last event you have.")
        return given

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
        body = problem_bytes(status, code, detail, **more)
        await self.send_response(status, body, headers=headers)
        raise StopConsumer

    async def write(self, viewer: Viewer) -> None:
        send, encode, clock = self.base_send, self.encode, viewer.clock
        begin = retry()
        while viewer.reconnect_ms is None:
            body = begin + b"".join(map(encode, await viewer.next())) or HEARTBEAT
            begin = b""
            viewer.writing_since = clock()
            await send({"type": "http.response.body", "body": body, "more_body": True})
            viewer.writing_since, viewer.wrote_at = None, clock()

    async def finish(self, reconnect_ms: int | None) -> None:
        await self.send_body(retry(reconnect_ms))

    async def http_disconnect(self, _message: dict[str, Any]) -> None:
        raise StopConsumer


class MarketStream(Stream):
    """`GET /api/v1/markets/{id}/stream`: every event of one market."""

    position = "[0-9]{1,18}"


class LobbyStream(Stream):
    """`GET /api/v1/markets/stream`: the latest state of every market."""

    key = "all"

    def encode(self, frame: Frame) -> bytes:
        return frame.sse_without_id


class PersonStream(Stream):
    """`GET /api/v1/me/stream`: the caller's own fills, balance and notifications."""

    key = "me"
    position = r"[0-9]{1,18}\.[0-9]{1,18}"
