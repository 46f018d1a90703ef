"""ASGI middleware that answers public requests from this process's memory, in front of Django.

`answers.public(request, body, about=…)` is all that a route needs. A 200 for an anonymous caller
without a cookie is cached until an event outdates it, at most a second after its request began.
Others wait for an answer in the making; if an event outdates it meanwhile, it goes only to requests
from before its own began.
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
from markets.web.compression import accepts_gzip
from markets.web.hot.memory import Entry, Headers, Key, memory

logger = structlog.get_logger("bellwether")

MOST_ANSWER_BYTES: Final = 2 * 1024 * 1024
_START: Final = "http.response.start"
_BODY: Final = "http.response.body"
Wanted = tuple[bytes | None, bool]  # `If-None-Match`, and whether gzip is accepted
_request_id_prefix = secrets.token_hex(6).encode()
# With one of these a request may be personal, or have a body that others would wait for.
_UNSHARED: Final = frozenset({b"authorization", b"cookie", b"content-length", b"transfer-encoding"})


@lru_cache(maxsize=256)
def is_allowed_host(host: bytes) -> bool:
    domain, _ = split_domain_port(host.decode("latin-1"))
    return bool(domain) and validate_host(domain, settings.ALLOWED_HOSTS)


class Ticket:
    """In the scope of a request whose answer may be cached."""

    about: int | None = None  # set if the answer is public


def share(request: Any, about: int) -> bool:
    """Declare the answer public; `about` is as in `Entry`.

    Return whether it will be cached. The view must then return all of it, and no 304.
    """
    ticket: Ticket | None = request.scope.get("hot")
    if ticket is not None:
        ticket.about = about
    return ticket is not None


class Hot:
    def __init__(self, app: Any) -> None:
        self.app = app
        self.log_every = settings.LOG_HOT_ONE_IN
        self.secure_only = settings.SECURE_SSL_REDIRECT

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http" or (method := scope["method"]) not in {"GET", "HEAD"}:
            await self.app(scope, receive, send)
            return
        request_id = host = tag = forwarded = None
        zips = False  # whether gzip is accepted
        for name, value in scope["headers"]:
            if name in _UNSHARED:
                await self.app(scope, receive, send)
                return
            if name == b"host":
                host = value
            elif name == b"if-none-match":
                tag = value
            elif name == b"x-request-id":
                request_id = value
            elif name == b"x-forwarded-proto":
                forwarded = value
            elif name == b"accept-encoding":
                zips = accepts_gzip(value)
        insecure = self.secure_only and forwarded != b"https"
        if host is None or insecure or not is_allowed_host(host):
            await self.app(scope, receive, send)
            return
        path, query = scope["path"], scope["query_string"]
        key = (path, _in_order(query) if b"&" in query else query)
        entry = memory.get(key) or await self._missed(key, scope, receive, send, (tag, zips))
        if entry is None:
            return
        memory.hits = number = memory.hits + 1
        if request_id is None or not SANE_REQUEST_ID.fullmatch(request_id):
            request_id = b"%b%x" % (_request_id_prefix, number)
        status, headers, body = _answer(entry, method, tag, zips)
        headers = [*headers, (b"x-request-id", request_id)]
        await send({"type": _START, "status": status, "headers": headers})
        await send({"type": _BODY, "body": body})
        if number % self.log_every == 0:
            facts = {"method": method, "path": path, "status": status, "one_in": self.log_every}
            logger.info("request_completed", request_id=request_id.decode(), hot=True, **facts)

    async def _missed(
        self, key: Key, scope: Any, receive: Any, send: Any, wanted: Wanted
    ) -> Entry | None:
        """Return the answer that another request makes; None once the app has answered."""
        asked = monotonic()
        while (entry := memory.get(key)) is None:
            making = memory.making.get(key)
            if making is None and scope["method"] == "GET":
                await self._make(key, scope, receive, send, wanted)
                return None
            if making is not None:
                await asyncio.wait([making])
                if making.cancelled():
                    continue
                entry = making.result()
            if entry is None:  # not public, or a HEAD
                await self.app(scope, receive, send)
                return None
            if entry.begun >= asked:
                break
        return entry

    async def _make(self, key: Key, scope: Any, receive: Any, send: Any, wanted: Wanted) -> None:
        """Let the app answer; share and cache what is public."""
        begun, ticket, made = monotonic(), Ticket(), memory.begin(key)
        start: dict[str, Any] | None = None  # held back until the whole body is there
        body = b""
        entry: Entry | None = None

        async def receive_answer(event: Any) -> None:
            nonlocal start, body, entry
            if event["type"] == _START and ticket.about is not None and event["status"] == 200:
                headers = [(name.lower(), value) for name, value in event["headers"]]
                if not any(name == b"set-cookie" for name, _ in headers):
                    start = {**event, "headers": headers}
                    return
            if start is not None:
                body += event.get("body", b"")
                if len(body) <= MOST_ANSWER_BYTES:
                    if not event.get("more_body"):
                        assert ticket.about is not None
                        headers = [item for item in start["headers"] if item[0] != b"x-request-id"]
                        entry = Entry(ticket.about, begun, headers, body)
                        memory.end(key, made, entry)
                    return
            memory.end(key, made, None)
            if start is not None:  # too large
                await send(start)
                start, event = None, {**event, "body": body}
            await send(event)

        try:
            with contextlib.suppress(TimeoutError):
                await relay.hub()  # a process that caches must hear events
            await self.app({**scope, "hot": ticket}, receive, receive_answer)
        finally:
            memory.give_up(key, made)
        if entry is not None and start is not None:
            status, headers, body = _answer(entry, "GET", *wanted)
            headers = headers + [item for item in start["headers"] if item[0] == b"x-request-id"]
            await send({"type": _START, "status": status, "headers": headers})
            await send({"type": _BODY, "body": body})


def _in_order(query: bytes) -> bytes:
    """Sort by parameter name; repeated parameters keep their order."""
    parts = query.split(b"&")
    parts.sort(key=lambda part: part.split(b"=")[0])
    return b"&".join(parts)


def _answer(entry: Entry, method: str, tag: bytes | None, zips: bool) -> tuple[int, Headers, bytes]:
    """Return status, headers and body."""
    if zips and entry.zippable:
        entry = entry.zipped or entry.zip()
    if tag is not None and entry.tag is not None and matches(tag, entry.tag):
        return 304, entry.headers_of_304, b""
    return 200, entry.headers, entry.body if method == "GET" else b""


def matches(given: bytes, tag: bytes) -> bool:
    """Return whether `If-None-Match` names the tag (RFC 9110: weak comparison)."""
    return given == tag or any(
        part.strip().removeprefix(b"W/") in {tag, b"*"} for part in given.split(b",")
    )
