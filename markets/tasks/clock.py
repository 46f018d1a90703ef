"""Tasks that beat starts: markets that are due, and work whose message was lost."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Final

import structlog
from celery import shared_task
from django.db import OperationalError
from django.db.models import Manager
from django.utils import timezone

from markets.domain.errors import Refused
from markets.infra import broker
from markets.models import Event, Job, Market, Notification, Report, Status
from markets.services import ledger, lifecycle

logger = structlog.get_logger("bellwether.jobs")

MAX_ROWS: Final = 500  # of each kind in one run; the next run takes the next rows
EVENT_LOST_AFTER: Final = timedelta(seconds=5)
WORK_LOST_AFTER: Final = timedelta(seconds=60)  # without progress: its worker has died
PROPOSAL_KEPT_FOR: Final = timedelta(days=7)  # of a job that nobody confirmed
# An event that fails for a day needs a person: it stays pending, and the admin shows it.
EVENT_GIVEN_UP_AFTER: Final = timedelta(days=1)


@shared_task
def move_due_markets() -> None:
    now = timezone.now()
    opening = Market.objects.filter(status=Status.SCHEDULED, open_at__lte=now).order_by("open_at")
    for market_id, open_at, close_at in opening.values_list("pk", "open_at", "close_at")[:MAX_ROWS]:
        # No worker ran while the market should have been open: its log gets the planned time.
        late = close_at is not None and close_at <= now
        _move(lifecycle.open_market, market_id, open_at if late and open_at else now)
    opened = [Status.ACTIVE, Status.PAUSED]
    closing = Market.objects.filter(status__in=opened, close_at__lte=now).order_by("close_at")
    for market_id in closing.values_list("pk", flat=True)[:MAX_ROWS]:
        _move(lifecycle.close_market, market_id, now)


def _move(service: Callable[..., Market], market_id: int, now: datetime) -> None:
    """Call the service; a market that it cannot move does not hold up the others."""
    try:
        service(market_id=market_id, actor=None, now=now)
    except (Refused, OperationalError) as error:  # moved by a person, or locked: the next run looks
        logger.info("market_not_moved", market_id=market_id, reason=str(error))


@shared_task
def dispatch_pending() -> None:
    """Send again what the broker lost or a worker dropped."""
    now = timezone.now()
    lost = Event.objects.filter(pending=True, at__lt=now - EVENT_LOST_AFTER).order_by("pk")
    pending = lost.filter(at__gt=now - EVENT_GIVEN_UP_AFTER)
    for event_id in pending.values_list("pk", flat=True)[:MAX_ROWS]:
        broker.start(broker.REACT, event_id)
    _send_again(Report.objects, broker.BUILD_REPORT, now)
    _send_again(Job.objects, broker.RUN_JOB, now)
    Job.objects.filter(state=Job.State.PROPOSED, created_at__lt=now - PROPOSAL_KEPT_FOR).delete()
    if Notification.objects.filter(email_due=True).exists():
        broker.start(broker.SEND_EMAILS)


def _send_again(work: Manager[Any], task: str, now: datetime) -> None:
    """Send again the reports or jobs that no worker has touched for a while."""
    lost = work.filter(state__in=["queued", "running"], touched_at__lt=now - WORK_LOST_AFTER)
    for pk in lost.values_list("pk", flat=True)[:MAX_ROWS]:
        work.filter(pk=pk).update(state="queued", touched_at=now)
        broker.start(task, pk)


@shared_task
def audit_ledger() -> None:
    run = ledger.audit_ledger(now=timezone.now())
    if run.breaches:
        logger.error("ledger_breached", breaches=run.breaches[:20], count=len(run.breaches))
    else:
        logger.info("ledger_audited", checks=run.checks)
