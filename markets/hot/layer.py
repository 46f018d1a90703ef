"""Public answers as finished bytes in this process's memory, in front of Django.

A route declares its answer public with `answers.public(request, body, about=…)` and gets this tier by that alone. An answer is
kept for at most a second from when it began to be made, and dropped by the first event about a market that it speaks
of. While it is being made, others who ask for the same wait for it. It is not kept when it was overtaken meanwhile, was made
for somebody known, sets a cookie, or is anything but a 200.
"""

from __future__ import annotations

import contextlib
import secrets
import time
from asyncio import shield
from collections.abc import Iterable
from functools import lru_cache
from typing import Any, Final

import structlog
from django.conf import settings
from django.http.request import split_domain_port, validate_host

from config.logs import SANE_REQUEST_ID
from markets.hot.memory import LARGEST, Entry, Key, Ticket, memory
from markets.live import relay

logger = structlog.get_logger("bellwether")

_prefix = secrets.token_hex(6).encode()
_KNOWN: Final = frozenset({b"authorization", b"cookie"})  # who sends these may be somebody


@lru_cache(maxsize=256)
def _served_here(host: bytes) -> bool:
    """Whether Django would answer for this `Host`."""
    domain, _ = split_domain_port(host.decode("latin-1"))
    return bool(domain) and validate_host(domain, settings.ALLOWED_HOSTS)


def about(request: Any, market_id: int) -> None:
    """The answer to `request` is public and speaks of this market (or `cache.EVERY` or `SHELVES`)."""
    ticket: Ticket | None = request.scope.get("hot")
    if ticket is not None:
        ticket.about = market_id


class Hot:
    """ASGI layer: answers from memory what it can, and remembers what passes."""

    def __init__(self, app: Any) -> None:
        self.app = app
        self.log_every = settings.LOG_HOT_ONE_IN
        self.secure_only = settings.SECURE_SSL_REDIRECT

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http" or scope["method"] not in {"GET", "HEAD"}:
            await self.app(scope, receive, send)
            return
        given = host = tag = forwarded = None
        for name, value in scope["headers"]:
            if name in _KNOWN:
                break
            if name == b"host":
                host = value
            elif name == b"if-none-match":
                tag = value
            elif name == b"x-request-id":
                given = value
            elif name == b"x-forwarded-proto":
                forwarded = value
        else:
            if host is not None and _served_here(host) and (not self.secure_only or forwarded == b"https"):
                await self._public(scope, receive, send, given, tag)
                return
        await self.app(scope, receive, send)

    async def _public(self, scope: Any, receive: Any, send: Any, given: bytes | None, tag: bytes | None) -> None:
        """A read by nobody in particular."""
        query = scope["query_string"]
        key = (scope["path"], b"&".join(sorted(query.split(b"&"))) if b"&" in query else query)
        entry = memory.entries.get(key)
        if entry is None or entry.until <= time.monotonic():
            if scope["method"] == "HEAD":
                await self.app(scope, receive, send)
                return
            making = memory.making.get(key)
            if making is None:
                await self._make(key, scope, receive, send)
                return
            entry = await shield(making)
            if entry is None:
                await self.app(scope, receive, send)
                return
        await self._answer(entry, scope, send, given, tag)

    async def _answer(self, entry: Entry, scope: Any, send: Any, given: bytes | None, tag: bytes | None) -> None:
        memory.hits = number = memory.hits + 1
        request_id = given if given is not None and SANE_REQUEST_ID.fullmatch(given) else b"%b%x" % (_prefix, number)
        has_it = tag is not None and entry.tag is not None and _matches(tag, entry.tag)
        status, headers = (304, entry.brief) if has_it else (200, entry.headers)
        body = b"" if has_it or scope["method"] == "HEAD" else entry.body
        await send({"type": "http.response.start", "status": status, "headers": [*headers, (b"x-request-id", request_id)]})
        await send({"type": "http.response.body", "body": body})
        if number % self.log_every == 0:
            facts = {"request_id": request_id.decode(), "method": scope["method"], "path": scope["path"], "status": status}
            logger.info("request_completed", **facts, hot=True, one_in=self.log_every)

    async def _make(self, key: Key, scope: Any, receive: Any, send: Any) -> None:
        """Let the application answer, and keep what it says if that may be kept."""
        begun = time.monotonic()
        ticket, made = memory.begin(key)
        start: dict[str, Any] = {}
        parts: list[bytes] = []

        async def note(event: Any) -> None:
            if event["type"] == "http.response.start":
                start.update(event)
                if not _may_be_kept(start, ticket):
                    memory.end(key, made, None)
            elif not made.done():
                parts.append(event.get("body", b""))
                if not event.get("more_body"):
                    entry = self._kept(key, ticket, start["headers"], b"".join(parts), begun)
                    memory.end(key, made, entry)
                elif sum(map(len, parts)) > LARGEST:
                    memory.end(key, made, None)
            await send(event)

        try:
            with contextlib.suppress(TimeoutError):
                await relay.hub()  # who keeps answers must hear of events
            await self.app({**scope, "hot": ticket}, receive, note)
        finally:
            memory.end(key, made, None)

    def _kept(
        self, key: Key, ticket: Ticket, headers: Iterable[tuple[bytes, bytes]], body: bytes, begun: float
    ) -> Entry | None:
        if ticket.about is None or len(body) > LARGEST:
            return None
        memory.misses += 1
        kept = [(name.lower(), value) for name, value in headers if name.lower() != b"x-request-id"]
        entry = Entry(ticket.about, begun, kept, body)
        return entry if memory.keep(key, entry, ticket.heard) else None


def _may_be_kept(start: dict[str, Any], ticket: Ticket) -> bool:
    return (
        ticket.about is not None and start["status"] == 200 and not any(n.lower() == b"set-cookie" for n, _ in start["headers"])
    )


def _matches(given: bytes, tag: bytes) -> bool:
    """Whether `If-None-Match` names the tag (RFC 9110: weak comparison)."""
    return given == tag or any(part.strip().removeprefix(b"W/") in {tag, b"*"} for part in given.split(b","))
