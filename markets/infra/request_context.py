"""What is known of the request or task that is being worked on: its id, and the error that ended it."""

import re
import time
from contextvars import ContextVar
from typing import Any, Final
from uuid import uuid4

import structlog
from asgiref.typing import (
    ASGI3Application,
    ASGIReceiveCallable,
    ASGISendCallable,
    ASGISendEvent,
    Scope,
)

logger = structlog.get_logger("bellwether")

SANE_REQUEST_ID: Final = re.compile(rb"[A-Za-z0-9._-]{1,64}")
_failure: ContextVar[list[BaseException] | None] = ContextVar("failure", default=None)


def note_failure(error: BaseException) -> None:
    """Remember the error that became a 500 answer, for the request's one log line."""
    errors = _failure.get()
    if errors is not None:
        errors.append(error)


def current_request_id() -> str:
    """Return the id of the request or task being worked on, or an empty text."""
    return str(structlog.contextvars.get_contextvars().get("request_id", ""))


class RequestLog:
    """ASGI layer: `X-Request-ID` in and out, log context, one line per request."""

    def __init__(self, app: ASGI3Application) -> None:
        self.app = app

    async def __call__(
        self, scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable
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

        async def send_with_id(event: ASGISendEvent) -> None:
            nonlocal status
            if event["type"] == "http.response.start":
                status = event["status"]
                event["headers"] = [
                    *event.get("headers", []),
                    (b"x-request-id", request_id.encode()),
                ]
            await send(event)

        with structlog.contextvars.bound_contextvars(
            request_id=request_id, method=method, path=scope["path"]
        ):
            try:
                await self.app(scope, receive, send_with_id)
            except Exception as error:
                errors.append(error)
                raise
            finally:
                _failure.reset(token)
                facts: dict[str, Any] = {
                    "status": status,
                    "duration_ms": round((time.perf_counter() - begun) * 1000, 2),
                }
                if errors:
                    logger.error(
                        "request_failed", error=repr(errors[0]), exc_info=errors[0], **facts
                    )
                else:
                    logger.info("request_completed", **facts)
