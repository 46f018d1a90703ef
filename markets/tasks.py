"""What a worker does because something happened. Tasks take ids and may run twice; `jobs` finds what got lost."""

from __future__ import annotations

import time
from typing import Any, Final

import structlog
from celery import Task, shared_task
from django.db import OperationalError, transaction
from django.utils import timezone
from kombu.exceptions import OperationalError as BrokerError

from markets import notifications, reports, search
from markets.live import doorbell
from markets.models import Event, Report

logger = structlog.get_logger("bellwether.tasks")

_retry: dict[str, Any] = {"autoretry_for": (OperationalError,), "retry_backoff": True, "max_retries": 5}
PAUSE: Final = 5.0  # seconds without asking a broker that did not answer; `jobs` sends what was skipped
_broker_down_at = 0.0  # monotonic time of the last failure; 0 while the broker answers


def send(task: Task[Any, Any], *args: int) -> None:
    """Give the task to a worker. A broker that is down is no error: the database remembers, and `jobs` sends it again."""
    global _broker_down_at  # noqa: PLW0603  (one broker, one process)
    if _broker_down_at and time.monotonic() < _broker_down_at + PAUSE:
        return
    try:
        task.delay(*args)
    except (BrokerError, OSError) as error:
        if not _broker_down_at:
            logger.warning("broker_unavailable", error=repr(error))
        _broker_down_at = time.monotonic()
    else:
        if _broker_down_at:
            logger.info("broker_available")
        _broker_down_at = 0.0


@shared_task(**_retry)
def react(event_id: int) -> None:
    """All reactions to one event, in one transaction, once."""
    with transaction.atomic():
        event = (
            Event.objects.select_for_update(skip_locked=True, of=("self",))
            .select_related("market")
            .filter(pk=event_id, pending=True)
            .first()
        )
        if event is None:  # done before, or being done
            return
        search.index(event.market_id)
        told = notifications.create_for(event, now=timezone.now())
        event.pending = False
        event.save(update_fields=["pending"])
    if told:
        doorbell.ring({"users": [notification.user_id for notification in told]})
    emails = sum(notification.email_due for notification in told)
    with structlog.contextvars.bound_contextvars(request_id=event.request_id):
        logger.info("event_handled", market_id=event.market_id, seq=event.seq, type=event.type, emails_due=emails)
        if emails:
            send(send_emails)


@shared_task(**_retry)
def send_emails() -> None:
    """Every e-mail that is due."""
    while sent := notifications.send_due_emails():
        logger.info("emails_sent", count=sent)


@shared_task(**_retry)
def build_report(report_id: int) -> None:
    """The file of one report."""
    report = Report.objects.select_related("market").filter(pk=report_id).exclude(state=Report.State.DONE).first()
    if report is None:
        return
    with structlog.contextvars.bound_contextvars(request_id=report.request_id):
        try:
            reports.build(report)
        except OperationalError:  # the database is away: tried again
            raise
        except Exception as error:
            logger.exception("report_failed", report_id=report_id)
            Report.objects.filter(pk=report_id).update(state=Report.State.FAILED, error=repr(error)[:300])
        else:
            logger.info("report_done", report_id=report_id)
