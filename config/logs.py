"""Structured logs: one line of JSON per fact in production, readable lines in development."""

import logging
import logging.config
import re

import structlog

SECRET_NAMES = re.compile(
    r"password|secret|token|authorization|cookie|api_key|signature", re.IGNORECASE
)
SECRET_VALUES = re.compile(r"bw_[A-Za-z0-9]{8}_[A-Za-z0-9_-]+|(?<=://)[^/\s@]*:[^/\s@]+(?=@)")


def redact(
    _logger: object, _method: str, event: structlog.typing.EventDict
) -> structlog.typing.EventDict:
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
                    "processors": [
                        structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                        *last,
                    ],
                }
            },
            "handlers": {
                "out": {
                    "class": "logging.StreamHandler",
                    "formatter": "chain",
                    "stream": "ext://sys.stdout",
                }
            },
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
