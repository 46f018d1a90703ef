"""What the clock starts (beat): markets whose time has come, and work that a lost message left behind."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

import structlog
from celery import shared_task
from django.utils import timezone

from markets import tasks
from markets.errors import Refused
from markets.models import Event, Market, Notification, Report, Status
from markets.services import lifecycle

logger = structlog.get_logger("bellwether.jobs")

AT_ONCE: Final = 500  # rows a run looks at; the next run takes the next ones
LATE: Final = timedelta(seconds=5)  # an event that waits this long was not delivered
SILENT: Final = timedelta(seconds=60)  # a report not heard of for this long lost its worker
GIVEN_UP: Final = timedelta(days=1)  # what failed for this long needs a person: it stays pending, and is shown in the admin


@shared_task
def move_due_markets() -> None:
    """Open the scheduled markets and close the active ones whose time has come."""
    now = timezone.now()
    for status, due, move in (
        (Status.SCHEDULED, "open_at__lte", lifecycle.open_market),
        ([Status.ACTIVE, Status.PAUSED], "close_at__lte", lifecycle.close_market),
    ):
        states = [status] if isinstance(status, str) else status
        for market_id in Market.objects.filter(status__in=states, **{due: now}).values_list("pk", flat=True)[:AT_ONCE]:
            try:
                move(market_id=market_id, actor=None, now=now)
            except Refused as error:  # somebody was faster
                logger.info("market_not_moved", market_id=market_id, reason=str(error))


@shared_task
def dispatch_pending() -> None:
    """Send again what the broker lost or a worker dropped."""
    now = timezone.now()
    waiting = Event.objects.filter(pending=True, at__lt=now - LATE, at__gt=now - GIVEN_UP).order_by("pk")
    for event_id in waiting.values_list("pk", flat=True)[:AT_ONCE]:
        tasks.send(tasks.react, event_id)
    unfinished = Report.objects.filter(state__in=[Report.State.QUEUED, Report.State.RUNNING], touched_at__lt=now - SILENT)
    for report_id in unfinished.values_list("pk", flat=True)[:AT_ONCE]:
        Report.objects.filter(pk=report_id).update(touched_at=now)
        tasks.send(tasks.build_report, report_id)
    if Notification.objects.filter(email_due=True).exists():
        tasks.send(tasks.send_emails)
