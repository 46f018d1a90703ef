"""The id of the request or task being worked on, and a request's one log line."""

import re
import time
from contextvars import ContextVar
from typing import Final
from uuid import uuid4

import structlog
from asgiref import typing as asgi

logger = structlog.get_logger("bellwether")

SANE_REQUEST_ID: Final = re.compile(rb"[A-Za-z0-9._-]{1,64}")
_failure: ContextVar[list[BaseException] | None] = ContextVar("failure", default=None)


def note_failure(error: BaseException) -> None:
    """Remember the error that became a 500 answer, for the request's one log line."""
    if (errors := _failure.get()) is not None:
        errors.append(error)


def current_request_id() -> str:
    return str(structlog.contextvars.get_contextvars().get("request_id", ""))


class RequestLog:
    """ASGI layer: `X-Request-ID` in and out, log context, one log line per request."""

    def __init__(self, app: asgi.ASGI3Application) -> None:
        self.app = app

    async def __call__(
        self, scope: asgi.Scope, receive: asgi.ASGIReceiveCallable, send: asgi.ASGISendCallable
    ) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        given = next((value for name, value in scope["headers"] if name == b"x-request-id"), b"")
        request_id = given.decode() if SANE_REQUEST_ID.fullmatch(given) else uuid4().hex
        method = scope["method"] if scope["type"] == "http" else "WS"
        errors: list[BaseException] = []
        status, begun = 0, time.perf_counter()
        token = _failure.set(errors)

        async def send_with_id(event: asgi.ASGISendEvent) -> None:
            nonlocal status
            if event["type"] == "http.response.start":
                status = event["status"]
                ours = (b"x-request-id", request_id.encode())
                event["headers"] = [*event.get("headers", []), ours]
            await send(event)

        facts = {"request_id": request_id, "method": method, "path": scope["path"]}
        with structlog.contextvars.bound_contextvars(**facts):
            try:
                await self.app(scope, receive, send_with_id)
            except Exception as error:
                errors.append(error)
                raise
            finally:
                _failure.reset(token)
                duration_ms = round((time.perf_counter() - begun) * 1000, 2)
                log = logger.bind(status=status, duration_ms=duration_ms)
                if errors:
                    log.error("request_failed", error=repr(errors[0]), exc_info=errors[0])
                else:
                    log.info("request_completed")
