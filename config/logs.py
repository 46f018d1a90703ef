"""Structured logs: lines of JSON in production, readable lines in development."""

import logging
import logging.config
import re

import structlog
from structlog import processors, stdlib
from structlog.typing import EventDict, Processor

SECRET_NAMES = re.compile(r"(?i)password|secret|token|authorization|cookie|api_key|signature")
SECRET_VALUES = re.compile(
    r"bw_[A-Za-z0-9]{8}_[A-Za-z0-9_-]+|(?<=://)[^/\s@]*:[^/\s@]+(?=@)"
    # links in mails, and in those that staff hand out
    r"|(?<=/password/reset/key/)[^/\s]+|(?<=/confirm-email/)[^/\s]+|(?<=invitation=)[^&\s]+"
)


def redact(_logger: object, _method: str, event: EventDict) -> EventDict:
    """Replace the secrets of a log line, whoever logged it."""
    for name, value in event.items():
        if SECRET_NAMES.search(name):
            event[name] = "[redacted]"
        elif isinstance(value, str):
            event[name] = SECRET_VALUES.sub("[redacted]", value)
    return event


def configure(*, json: bool, level: str) -> None:
    """Write the records of structlog and of the standard library to standard output."""
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        processors.add_log_level,
        stdlib.add_logger_name,
        processors.TimeStamper(fmt="iso", utc=True),
    ]
    last: list[Processor] = [redact, structlog.dev.ConsoleRenderer()]
    if json:
        last = [processors.format_exc_info, redact, processors.JSONRenderer()]
    structlog.configure(
        processors=[*shared, stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=stdlib.LoggerFactory(),
        wrapper_class=stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    formatter = {
        "()": stdlib.ProcessorFormatter,
        "foreign_pre_chain": [*shared, stdlib.ExtraAdder()],
        "processors": [stdlib.ProcessorFormatter.remove_processors_meta, *last],
    }
    stdout = "ext://sys.stdout"
    output = {"class": "logging.StreamHandler", "formatter": "chain", "stream": stdout}
    quiet = (
        "daphne.http_protocol",
        "django.channels.server",
        "celery.app.trace",
        "celery.worker.strategy",
        "celery.beat",
        "httpx",
    )
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": {"chain": formatter},
            "handlers": {"out": output},
            "root": {"handlers": ["out"], "level": level},
            "loggers": {
                **{name: {"level": "WARNING"} for name in quiet},
                "django.request": {"level": "CRITICAL"},  # RequestLog writes a request's one line
            },
        }
    )
