"""A lean way into Django for requests without a cookie: API calls and operators' tools.

Django gives each request a fresh thread, two tasks that watch for a disconnect, and signals whose
receivers hop to that thread; most stock middleware hops twice. API calls need none of it: their
database work is one hop to a pooled thread (`markets/infra/threads.py`).
"""

from typing import Any

from django.conf import settings
from django.core.exceptions import RequestAborted
from django.core.handlers.asgi import ASGIHandler, get_script_prefix
from django.http.response import HttpResponseBase
from django.urls import set_script_prefix


class LeanHandler(ASGIHandler):
    """Django's handler with `settings.LEAN_MIDDLEWARE`, in the server's own task."""

    def load_middleware(self, is_async: bool = False) -> None:
        full, settings.MIDDLEWARE = settings.MIDDLEWARE, settings.LEAN_MIDDLEWARE
        try:
            super().load_middleware(is_async)
        finally:
            settings.MIDDLEWARE = full

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
        headers = [(name.encode(), value.encode("latin-1")) for name, value in response.items()]
        cookies = (morsel.output(header="").strip() for morsel in response.cookies.values())
        headers += [(b"Set-Cookie", cookie.encode()) for cookie in cookies]
        status = response.status_code
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": response.content})  # type: ignore[attr-defined]
        # Not closed: that would send `request_finished`, whose receivers expect threads.


class Doors:
    """The lean handler for paths under `prefixes` without a cookie; otherwise Django's own."""

    def __init__(self, django: ASGIHandler, prefixes: tuple[str, ...]) -> None:
        self.django, self.lean, self.prefixes = django, LeanHandler(), prefixes

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        lean = scope["path"].startswith(self.prefixes) and not any(
            name == b"cookie" for name, _ in scope["headers"]
        )
        await (self.lean if lean else self.django)(scope, receive, send)
