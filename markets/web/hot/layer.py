"""Public answers as finished bytes in this process's memory, in front of Django.

A route declares its answer public with `answers.public(request, body, about=…)` and gets this tier by that alone. An answer is
kept for at most a second from when it began to be made, and dropped by the first event about a market that it speaks of.
While it is being made, others who ask for the same wait for it; once an event has overtaken it, only those who asked before it
was begun are given it. It is not kept when it was made for somebody known, sets a cookie, or is anything but a 200.
"""

import asyncio
import contextlib
import secrets
from functools import lru_cache
from time import monotonic
from typing import Any, Final

import structlog
from django.conf import settings
from django.http.request import split_domain_port, validate_host

from markets.infra.request_context import SANE_REQUEST_ID
from markets.live import relay
from markets.web.hot.memory import Entry, Headers, Key, memory

logger = structlog.get_logger("bellwether")

_START: Final = "http.response.start"
MOST_ANSWER_BYTES: Final = 2 * 1024 * 1024  # of one that is kept
_BODY: Final = "http.response.body"
_prefix = secrets.token_hex(6).encode()
# Who sends these may be somebody, or may make others wait for the rest of the request.
_ALONE: Final = frozenset({b"authorization", b"cookie", b"content-length", b"transfer-encoding"})


@lru_cache(maxsize=256)
def _served_here(host: bytes) -> bool:
    """Whether Django would answer for this `Host`."""
    domain, _ = split_domain_port(host.decode("latin-1"))
    return bool(domain) and validate_host(domain, settings.ALLOWED_HOSTS)


class Ticket:
    """Rides in the scope of a request whose answer may be kept; `about` is None until the answer is known to be public."""

    about: int | None = None


def share(request: Any, market_id: int) -> bool:
    """The answer to `request` is public and speaks of this market (or `shared.EVERY` or `SHELVES`).

    Says whether it will be kept: then it has to be whole, and whoever has it already is told so from here.
    """
    ticket: Ticket | None = request.scope.get("hot")
    if ticket is not None:
        ticket.about = market_id
    return ticket is not None


class Hot:
    """ASGI layer: answers from memory what it can, and remembers what passes."""

    def __init__(self, app: Any) -> None:
        self.app = app
        self.log_every = settings.LOG_HOT_ONE_IN
        self.secure_only = settings.SECURE_SSL_REDIRECT

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http" or (method := scope["method"]) not in {"GET", "HEAD"}:
            await self.app(scope, receive, send)
            return
        given = host = tag = forwarded = None
        for name, value in scope["headers"]:
            if name in _ALONE:
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
            if (
                host is not None
                and _served_here(host)
                and (not self.secure_only or forwarded == b"https")
            ):
                query = scope["query_string"]
                key = (scope["path"], _in_order(query) if b"&" in query else query)
                entry = memory.get(key) or await self._missed(key, scope, receive, send, tag)
                if entry is not None:
                    memory.hits = number = memory.hits + 1
                    request_id = (
                        given
                        if given and SANE_REQUEST_ID.fullmatch(given)
                        else b"%b%x" % (_prefix, number)
                    )
                    status, headers, body = _answer(entry, method, tag)
                    await send(
                        {
                            "type": _START,
                            "status": status,
                            "headers": [*headers, (b"x-request-id", request_id)],
                        }
                    )
                    await send({"type": _BODY, "body": body})
                    if number % self.log_every == 0:
                        facts = {
                            "request_id": request_id.decode(),
                            "method": method,
                            "path": scope["path"],
                            "status": status,
                        }
                        logger.info("request_completed", **facts, hot=True, one_in=self.log_every)
                return
        await self.app(scope, receive, send)

    async def _missed(
        self, key: Key, scope: Any, receive: Any, send: Any, tag: bytes | None
    ) -> Entry | None:
        """What somebody else is making or has just made; None when this request had to be answered by the application."""
        asked = monotonic()
        while (entry := memory.get(key)) is None:
            making = memory.making.get(key)
            if making is None and scope["method"] == "GET":
                await self._make(key, scope, receive, send, tag)
                return None
            if making is not None:
                await asyncio.wait([making])
                if making.cancelled():
                    continue
                entry = making.result()
            if entry is None:  # not for everybody
                await self.app(scope, receive, send)
                return None
            if entry.begun >= asked:
                break
        return entry

    async def _make(self, key: Key, scope: Any, receive: Any, send: Any, tag: bytes | None) -> None:
        """Let the application answer, and share and keep what it says if that may be."""
        begun, ticket, made = monotonic(), Ticket(), memory.begin(key)
        start: dict[str, Any] | None = (
            None  # of an answer that may be kept, until all of it is there
        )
        body = b""
        entry: Entry | None = None

        async def note(event: Any) -> None:
            nonlocal start, body, entry
            if event["type"] == _START and _may_be_kept(event, ticket):
                start = event
                return
            if start is not None:
                body += event.get("body", b"")
                if event.get("more_body") and len(body) <= MOST_ANSWER_BYTES:
                    return
                if len(body) <= MOST_ANSWER_BYTES:
                    assert ticket.about is not None
                    headers = [
                        (name.lower(), value)
                        for name, value in start["headers"]
                        if name.lower() != b"x-request-id"
                    ]
                    entry = Entry(ticket.about, begun, headers, body)
                    memory.end(key, made, entry)
                    return
                memory.end(key, made, None)
                await send(start)
                start, event = None, {**event, "body": body}
            memory.end(key, made, None)
            await send(event)

        try:
            with contextlib.suppress(TimeoutError):
                await relay.hub()  # who keeps answers must hear of events
            await self.app({**scope, "hot": ticket}, receive, note)
        finally:
            memory.give_up(key, made)
        if entry is not None and start is not None:
            status, headers, body = _answer(entry, scope["method"], tag)
            headers = [
                *headers,
                *(
                    (name, value)
                    for name, value in start["headers"]
                    if name.lower() == b"x-request-id"
                ),
            ]
            await send({"type": _START, "status": status, "headers": headers})
            await send({"type": _BODY, "body": body})


def _in_order(query: bytes) -> bytes:
    """Parameters by name; what is repeated stays in the order in which it was given."""
    parts = query.split(b"&")
    parts.sort(key=lambda part: part.split(b"=")[0])
    return b"&".join(parts)


def _may_be_kept(start: dict[str, Any], ticket: Ticket) -> bool:
    return (
        ticket.about is not None
        and start["status"] == 200
        and not any(n.lower() == b"set-cookie" for n, _ in start["headers"])
    )


def _answer(entry: Entry, method: str, tag: bytes | None) -> tuple[int, Headers, bytes]:
    """Status, headers and body for whoever asks so."""
    if tag is not None and entry.tag is not None and matches(tag, entry.tag):
        return 304, entry.brief, b""
    return 200, entry.headers, entry.body if method == "GET" else b""


def matches(given: bytes, tag: bytes) -> bool:
    """Whether `If-None-Match` names the tag (RFC 9110: weak comparison)."""
    return given == tag or any(
        part.strip().removeprefix(b"W/") in {tag, b"*"} for part in given.split(b",")
    )
