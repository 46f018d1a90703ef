"""Structured logs: one line of JSON per fact in production, readable lines in development.

`RequestLog` is the outermost ASGI layer. It binds `request_id`, `method` and `path` for the length of a request and writes
one line when it is over: `request_completed`, or `request_failed` with the error. Celery carries `request_id` along.
"""

import logging
import logging.config
import re
import time
from contextvars import ContextVar
from typing import Any
from uuid import uuid4

import structlog
from asgiref.typing import ASGI3Application, ASGIReceiveCallable, ASGISendCallable, ASGISendEvent, Scope

logger = structlog.get_logger("bellwether")

SANE_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")
SECRET_NAMES = re.compile(r"password|secret|token|authorization|cookie|api_key|signature", re.IGNORECASE)
SECRET_VALUES = re.compile(r"bw_[A-Za-z0-9]{8}_[A-Za-z0-9_-]+|(?<=://)[^/\s@]*:[^/\s@]+(?=@)")
_failure: ContextVar[list[BaseException] | None] = ContextVar("failure", default=None)


def redact(_logger: object, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """No secret, key or cookie in a log line, wherever it came from."""
    for name, value in event.items():
        if SECRET_NAMES.search(name):
            event[name] = "[redacted]"
        elif isinstance(value, str):
            event[name] = SECRET_VALUES.sub("[redacted]", value)
    return event


def configure(*, json: bool, level: str) -> None:
    """Send structlog's and the standard library's records through one chain, to standard output."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    last: list[structlog.typing.Processor] = (
        [structlog.processors.format_exc_info, redact, structlog.processors.JSONRenderer()]
        if json
        else [redact, structlog.dev.ConsoleRenderer()]
    )
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": {
                "chain": {
                    "()": structlog.stdlib.ProcessorFormatter,
                    "foreign_pre_chain": [*shared, structlog.stdlib.ExtraAdder()],
                    "processors": [structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
                }
            },
            "handlers": {"out": {"class": "logging.StreamHandler", "formatter": "chain", "stream": "ext://sys.stdout"}},
            "root": {"handlers": ["out"], "level": level},
            "loggers": {
                # RequestLog has the one line a request deserves
                "django.request": {"level": "CRITICAL"},
                "daphne.http_protocol": {"level": "WARNING"},
                "django.channels.server": {"level": "WARNING"},
                "celery.app.trace": {"level": "WARNING"},
                "celery.worker.strategy": {"level": "WARNING"},
                "celery.beat": {"level": "WARNING"},
                "httpx": {"level": "WARNING"},
            },
        }
    )


def note_failure(error: BaseException) -> None:
    """Remember the error that became a 500 answer, for the request's one line."""
    errors = _failure.get()
    if errors is not None:
        errors.append(error)


def current_request_id() -> str:
    """The id of the request or task being worked on, or an empty text."""
    return str(structlog.contextvars.get_contextvars().get("request_id", ""))


class RequestLog:
    """ASGI layer: `X-Request-ID` in and out, log context, one line per request."""

    def __init__(self, app: ASGI3Application) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
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
                event["headers"] = [*event.get("headers", []), (b"x-request-id", request_id.encode())]
            await send(event)

        with structlog.contextvars.bound_contextvars(request_id=request_id, method=method, path=scope["path"]):
            try:
                await self.app(scope, receive, send_with_id)
            except Exception as error:
                errors.append(error)
                raise
            finally:
                _failure.reset(token)
                facts: dict[str, Any] = {"status": status, "duration_ms": round((time.perf_counter() - begun) * 1000, 2)}
                if errors:
                    logger.error("request_failed", error=repr(errors[0]), exc_info=errors[0], **facts)
                else:
                    logger.info("request_completed", **facts)
