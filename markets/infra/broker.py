"""Tasks are sent to a worker by name, so that the sender need not import them."""

import time
from typing import Final

import structlog
from celery import current_app
from kombu.exceptions import OperationalError as BrokerError

logger = structlog.get_logger("bellwether.tasks")

REACT: Final = "markets.tasks.react"
SEND_EMAILS: Final = "markets.tasks.send_emails"
BUILD_REPORT: Final = "markets.tasks.build_report"
RUN_JOB: Final = "markets.tasks.run_job"

BROKER_RETRY_SECONDS: float = 5.0  # pause after a failure
_broker_down_at = 0.0  # monotonic time of the last failure; 0 while the broker answers


def start(task: str, *args: int) -> None:
    """Send the task; not while the broker is down: `tasks/clock.py` sends it again."""
    global _broker_down_at  # noqa: PLW0603  (one broker, one process)
    if _broker_down_at and time.monotonic() < _broker_down_at + BROKER_RETRY_SECONDS:
        return
    try:
        current_app.send_task(task, args)
    except (BrokerError, OSError) as error:
        if not _broker_down_at:
            logger.warning("broker_unavailable", error=repr(error))
        _broker_down_at = time.monotonic()
    else:
        if _broker_down_at:
            logger.info("broker_available")
        _broker_down_at = 0.0
