"""A lean way into Django, for calls that bring no cookie: of the API, and of an operator's tools.

Django's own handler gives every request a thread context, which costs a fresh thread, two tasks that watch for its end, and
signals whose receivers each hop to that thread; and nearly every stock middleware hops twice. Such calls need none of this:
their database work is one hop to a pooled thread (`markets/threads.py`) that gives its connection back by itself.
"""

from typing import Any

from django.conf import settings
from django.core.exceptions import RequestAborted
from django.core.handlers.asgi import ASGIHandler, get_script_prefix
from django.http.response import HttpResponseBase
from django.urls import set_script_prefix


class LeanHandler(ASGIHandler):
    """Django's handler with `settings.LEAN_MIDDLEWARE`, in the task that the server gave."""

    def load_middleware(self, is_async: bool = False) -> None:
        whole, settings.MIDDLEWARE = settings.MIDDLEWARE, settings.LEAN_MIDDLEWARE
        try:
            super().load_middleware(is_async)
        finally:
            settings.MIDDLEWARE = whole

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        try:
            body = await self.read_body(receive)
        except RequestAborted:
            return
        set_script_prefix(get_script_prefix(scope))
        with body:
            request, refusal = self.create_request(scope, body)
            response = refusal if request is None else await self.get_response_async(request)
            assert response is not None
            await self.send_response(response, send)

    async def send_response(self, response: HttpResponseBase, send: Any) -> None:
        if response.streaming:
            await super().send_response(response, send)
            return
        headers = [
            (name.encode("ascii"), value.encode("latin-1")) for name, value in response.items()
        ]
        headers += [
            (b"Set-Cookie", morsel.output(header="").strip().encode())
            for morsel in response.cookies.values()
        ]
        await send(
            {"type": "http.response.start", "status": response.status_code, "headers": headers}
        )
        await send({"type": "http.response.body", "body": response.content})  # type: ignore[attr-defined]
        # Not closed: it holds nothing open, and closing would send `request_finished`, whose receivers are for threads.


class Doors:
    """The lean way for addresses under `prefixes` when no cookie comes along, Django's own for everything else."""

    def __init__(self, whole: ASGIHandler, prefixes: tuple[str, ...]) -> None:
        self.whole, self.lean, self.prefixes = whole, LeanHandler(), prefixes

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        lean = scope["path"].startswith(self.prefixes) and not any(
            name == b"cookie" for name, _ in scope["headers"]
        )
        await (self.lean if lean else self.whole)(scope, receive, send)
