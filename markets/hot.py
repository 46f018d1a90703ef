"""Public answers as finished bytes in this process's memory, in front of Django.

A route declares its answer public with `answers.public(request, body, about=…)` and gets this tier by that alone. An answer is
kept for at most `LONGEST` seconds from when it began to be made, and dropped by the first event about a market that it speaks
of. While it is being made, others who ask for the same wait for it. It is not kept when it was overtaken meanwhile, was made
for somebody known, sets a cookie, or is anything but a 200.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import threading
import time
from collections.abc import Iterable
from functools import lru_cache
from typing import Any, Final

import structlog
from django.conf import settings
from django.http.request import split_domain_port, validate_host
from prometheus_client.core import REGISTRY, CounterMetricFamily
from prometheus_client.registry import Collector

from config.logs import SANE_REQUEST_ID
from markets.cache import moved_by
from markets.live import doorbell, relay

logger = structlog.get_logger("bellwether")

LONGEST: Final = 1.0  # seconds that an answer is kept, should the doorbell be silent
MOST: Final = 64 * 1024 * 1024  # bytes of all answers together
LARGEST: Final = 2 * 1024 * 1024  # bytes of one
OVERHEAD: Final = 3 * 1024  # bytes that an answer takes beside its body: headers, key, objects

_prefix = secrets.token_hex(6).encode()
_KNOWN: Final = frozenset({b"authorization", b"cookie"})  # who sends these may be somebody

Headers = list[tuple[bytes, bytes]]


class Entry:
    """A finished answer."""

    def __init__(self, about: int, until: float, headers: Headers, body: bytes) -> None:
        self.about, self.until, self.body = about, until, body
        self.size = len(body) + OVERHEAD
        self.headers = headers
        self.tag = next((value for name, value in headers if name == b"etag"), None)
        self.brief = [(name, value) for name, value in headers if name not in {b"content-type", b"content-length"}]  # for 304


class Ticket:
    """Rides in the scope of a request whose answer may be kept.

    `about` is the id of the market that the answer speaks of, `cache.EVERY` or `cache.SHELVES`; None while it is not public.
    """

    def __init__(self, heard: int) -> None:
        self.about: int | None = None
        self.heard = heard  # events heard when it began


class Memory:
    """The answers of one process. Threads that write tell it of events; all else happens in the event loop."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.clear()

    def clear(self) -> None:
        self.entries: dict[bytes, Entry] = {}  # oldest first; all are kept equally long
        self.about: dict[int, set[bytes]] = {}
        self.size = 0
        self.hits = self.misses = 0  # plain numbers: a Counter's lock would be a tenth of an answer
        self.heard = 0  # events so far
        self.last: dict[int, int] = {}  # by market: which event so far was its last; only while something is being made
        self.making: dict[bytes, asyncio.Future[Entry | None]] = {}

    def hear(self, message: dict[str, Any]) -> None:
        """A message of the doorbell."""
        if "market_id" not in message:
            return
        with self.lock:
            self.heard += 1
            for about in moved_by(message):
                if self.making:
                    self.last[about] = self.heard
                for key in self.about.pop(about, ()):
                    self._forget(key)

    def keep(self, key: bytes, entry: Entry, heard: int) -> bool:
        """Keep what was begun when so many events had been heard, unless it was overtaken since."""
        with self.lock:
            if self.last.get(entry.about, 0) > heard:
                return False
            self._forget(key)
            now = time.monotonic()
            while self.entries:
                oldest = next(iter(self.entries))
                if self.entries[oldest].until > now and self.size + entry.size <= MOST:
                    break
                self._forget(oldest)
            self.entries[key] = entry
            self.about.setdefault(entry.about, set()).add(key)
            self.size += entry.size
        return True

    def begin(self, key: bytes) -> tuple[Ticket, asyncio.Future[Entry | None]]:
        """Somebody makes this answer; others may wait for it."""
        made: asyncio.Future[Entry | None] = asyncio.get_running_loop().create_future()
        with self.lock:
            self.making[key] = made
            return Ticket(self.heard), made

    def end(self, key: bytes, made: asyncio.Future[Entry | None], entry: Entry | None) -> None:
        """It is made (or None: it may not be shared). May be called again."""
        if made.done():
            return
        made.set_result(entry)
        with self.lock:
            if self.making.get(key) is made:
                del self.making[key]
            if not self.making:
                self.last.clear()

    def _forget(self, key: bytes) -> None:
        entry = self.entries.pop(key, None)
        if entry is not None:
            self.size -= entry.size
            keys = self.about.get(entry.about)
            if keys is not None:
                keys.discard(key)
                if not keys:
                    del self.about[entry.about]


class Figures(Collector):
    """For `/metrics`."""

    def collect(self) -> Iterable[CounterMetricFamily]:
        yield CounterMetricFamily("bellwether_hot_hits", "Answers from memory, in front of Django", value=memory.hits)
        yield CounterMetricFamily("bellwether_hot_misses", "Public answers that had to be made", value=memory.misses)


memory = Memory()
REGISTRY.register(Figures())
doorbell.listeners.append(memory.hear)


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
        key = scope["path"].encode() + b"?" + (b"&".join(sorted(query.split(b"&"))) if b"&" in query else query)
        entry = memory.entries.get(key)
        if entry is None or entry.until <= time.monotonic():
            if scope["method"] == "HEAD":
                await self.app(scope, receive, send)
                return
            making = memory.making.get(key)
            if making is None:
                await self._make(key, scope, receive, send)
                return
            entry = await asyncio.shield(making)
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

    async def _make(self, key: bytes, scope: Any, receive: Any, send: Any) -> None:
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
        self, key: bytes, ticket: Ticket, headers: Iterable[tuple[bytes, bytes]], body: bytes, begun: float
    ) -> Entry | None:
        if ticket.about is None or len(body) > LARGEST:
            return None
        memory.misses += 1
        kept = [(name.lower(), value) for name, value in headers if name.lower() != b"x-request-id"]
        entry = Entry(ticket.about, begun + LONGEST, kept, body)
        return entry if memory.keep(key, entry, ticket.heard) else None


def _may_be_kept(start: dict[str, Any], ticket: Ticket) -> bool:
    return (
        ticket.about is not None and start["status"] == 200 and not any(n.lower() == b"set-cookie" for n, _ in start["headers"])
    )


def _matches(given: bytes, tag: bytes) -> bool:
    """Whether `If-None-Match` names the tag (RFC 9110: weak comparison)."""
    return given == tag or any(part.strip().removeprefix(b"W/") in {tag, b"*"} for part in given.split(b","))
