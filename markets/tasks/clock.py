"""What the clock starts (beat): markets whose time has come, and work that a lost message left behind."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

import structlog
from celery import shared_task
from django.db import OperationalError
from django.utils import timezone

from markets.domain.errors import Refused
from markets.infra import broker
from markets.models import Event, Market, Notification, Report, Status
from markets.services import auditing, lifecycle

logger = structlog.get_logger("bellwether.jobs")

ROWS_AT_ONCE: Final = 500  # of one run; the next run takes the next ones
LATE: Final = timedelta(seconds=5)  # an event that waits this long was not delivered
SILENT: Final = timedelta(seconds=60)  # a report not heard of for this long lost its worker
GIVEN_UP: Final = timedelta(
    days=1
)  # what failed for this long needs a person: it stays pending, and is shown in the admin


@shared_task
def move_due_markets() -> None:
    """Open the scheduled markets and close the active ones whose time has come."""
    now = timezone.now()
    opening = Market.objects.filter(status=Status.SCHEDULED, open_at__lte=now).order_by("open_at")
    for market_id, open_at, close_at in opening.values_list("pk", "open_at", "close_at")[
        :ROWS_AT_ONCE
    ]:
        late = (
            close_at is not None and close_at <= now
        )  # nothing ran while it should have been open: open it in arrears
        _move(lifecycle.open_market, market_id, open_at if late and open_at else now)
    closing = Market.objects.filter(
        status__in=[Status.ACTIVE, Status.PAUSED], close_at__lte=now
    ).order_by("close_at")
    for market_id in closing.values_list("pk", flat=True)[:ROWS_AT_ONCE]:
        _move(lifecycle.close_market, market_id, now)


def _move(service: Callable[..., Market], market_id: int, now: datetime) -> None:
    """Call the service; a market that cannot be moved now must not hold up the others."""
    try:
        service(market_id=market_id, actor=None, now=now)
    except (
        Refused,
        OperationalError,
    ) as error:  # a person was faster, or its row is locked: the next run looks again
        logger.info("market_not_moved", market_id=market_id, reason=str(error))


@shared_task
def dispatch_pending() -> None:
    """Send again what the broker lost or a worker dropped."""
    now = timezone.now()
    waiting = Event.objects.filter(pending=True, at__lt=now - LATE, at__gt=now - GIVEN_UP).order_by(
        "pk"
    )
    for event_id in waiting.values_list("pk", flat=True)[:ROWS_AT_ONCE]:
        broker.start(broker.REACT, event_id)
    unfinished = Report.objects.filter(
        state__in=[Report.State.QUEUED, Report.State.RUNNING], touched_at__lt=now - SILENT
    )
    for report_id in unfinished.values_list("pk", flat=True)[:ROWS_AT_ONCE]:
        Report.objects.filter(pk=report_id).update(touched_at=now)
        broker.start(broker.BUILD_REPORT, report_id)
    if Notification.objects.filter(email_due=True).exists():
        broker.start(broker.SEND_EMAILS)


@shared_task
def audit_ledger() -> None:
    """Run the nightly audit; a breach is an error in the log and stands in the admin."""
    run = auditing.audit_ledger(now=timezone.now())
    if run.breaches:
        logger.error("ledger_breached", breaches=run.breaches[:20], count=len(run.breaches))
    else:
        logger.info("ledger_audited", checks=run.checks)
