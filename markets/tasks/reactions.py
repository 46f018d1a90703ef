"""What follows from an event, in a worker.

An event stays `pending` until its reactions have run, all in one transaction. Trades are many:
their reactions run in batches, behind a cursor over the feed (`selectors/feed.py`).
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

import structlog
from celery import shared_task
from django.db import OperationalError, transaction
from django.utils import timezone

from markets import events
from markets.domain.event_types import TALK, EventType
from markets.infra import broker
from markets.infra.database import long_statements
from markets.models import Event, FeedCursor, Job, Report
from markets.selectors import feed
from markets.services import bulk, day_totals, notifications, report_files, search_index

logger = structlog.get_logger("bellwether.tasks")

RETRY: Final[dict[str, Any]] = {
    "autoretry_for": (OperationalError,),
    "retry_backoff": True,
    "max_retries": 5,
}
CURSOR: Final = "trades"
MAX_TRADES: Final = 1000  # of one batch

Reaction = Callable[[Event, datetime], None]


def index_market(event: Event, _now: datetime) -> None:
    search_index.index(event.market_id)


def notify(event: Event, now: datetime) -> None:
    created = notifications.create_for(event, now=now)
    events.invalidate_users([notification.user_id for notification in created])
    if any(notification.email_due for notification in created):
        events.start_task(broker.SEND_EMAILS)


# By kind of event, the reactions in their order.
REACTIONS: Final[dict[EventType, tuple[Reaction, ...]]] = {
    **dict.fromkeys(EventType, (index_market, notify)),
    **dict.fromkeys(TALK, ()),
    EventType.TRADE: (notify,),
}


@shared_task(name=broker.REACT, **RETRY)
def react(event_id: int) -> None:
    with transaction.atomic():
        pending = Event.objects.select_for_update(skip_locked=True, of=("self",)).filter(
            pk=event_id, pending=True
        )
        event = pending.select_related("market").first()
        if event is None:  # another worker has done it or is at it
            return
        for reaction in REACTIONS[EventType(event.type)]:
            reaction(event, timezone.now())
        event.pending = False
        event.save(update_fields=["pending"])
    with structlog.contextvars.bound_contextvars(request_id=event.request_id):
        logger.info("event_handled", market_id=event.market_id, seq=event.seq, type=event.type)


@shared_task(**RETRY)
def react_to_trades() -> int:
    """Run the reactions to the trades after the cursor, in feed order; return their number.

    A reaction that fails is skipped: one trade must not hold up all later ones.
    """
    FeedCursor.objects.get_or_create(name=CURSOR)
    with transaction.atomic():
        cursor = FeedCursor.objects.select_for_update(skip_locked=True).filter(name=CURSOR).first()
        if cursor is None:  # another worker is at it
            return 0
        trades = feed.events_after(cursor.reached, limit=MAX_TRADES, types=[EventType.TRADE])
        for trade in trades:
            for reaction in REACTIONS[EventType.TRADE]:
                try:
                    with transaction.atomic():
                        reaction(trade, timezone.now())
                except OperationalError:  # no database: Celery tries the batch again
                    raise
                except Exception:
                    logger.exception(
                        "reaction_failed", event_id=trade.pk, reaction=reaction.__name__
                    )
        if trades:
            day_totals.add(trades)
            cursor.reached = feed.cursor_of(trades[-1])
            cursor.save()
    return len(trades)


@shared_task(name=broker.SEND_EMAILS, **RETRY)
def send_emails() -> None:
    while sent := notifications.send_due_emails():
        logger.info("emails_sent", count=sent)


@shared_task(name=broker.BUILD_REPORT, **RETRY)
def build_report(report_id: int) -> None:
    reports = Report.objects.filter(pk=report_id)
    report = reports.select_related("market").exclude(state=Report.State.DONE).first()
    if report is None:
        return
    with structlog.contextvars.bound_contextvars(request_id=report.request_id):
        try:
            with long_statements():
                report_files.build(report)
        except OperationalError:  # no database: Celery tries again
            raise
        except Exception as error:
            logger.exception("report_failed", report_id=report_id)
            reports.update(state=Report.State.FAILED, error=repr(error)[:300])
        else:
            logger.info("report_done", report_id=report_id)


@shared_task(name=broker.RUN_JOB, **RETRY)
def run_job(job_id: int) -> None:
    jobs = Job.objects.filter(pk=job_id)
    job = jobs.filter(state=Job.State.QUEUED).first()
    if job is None:  # another worker is at it; if that has died, the clock queues the job again
        return
    try:
        bulk.run(job)
    except OperationalError:  # no database: Celery or, once the job runs, the clock tries again
        raise
    except Exception as error:
        logger.exception("job_failed", job_id=job_id)
        jobs.update(state=Job.State.FAILED, error=repr(error)[:300])
    else:
        logger.info("job_done", job_id=job_id)
