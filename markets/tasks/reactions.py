"""What follows from an event, in a worker. Reactions stand above the services, so one may call a service.

An event other than a trade waits in the database as `pending` until its reactions have run, all in one transaction. Trades
are many: theirs run in batches behind a cursor over the exact feed (`selectors/feed.py`), which costs a trade nothing.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

import structlog
from celery import shared_task
from django.db import OperationalError, transaction
from django.utils import timezone

from markets import events
from markets.domain.event_types import EventType
from markets.infra import broker
from markets.infra.database import long_statements
from markets.models import Event, FeedCursor, Report
from markets.selectors import feed
from markets.services import notifications, report_files, search_index

logger = structlog.get_logger("bellwether.tasks")

RETRY: Final[dict[str, Any]] = {
    "autoretry_for": (OperationalError,),
    "retry_backoff": True,
    "max_retries": 5,
}
TRADES: Final = "trades"  # the name of the cursor
TRADES_AT_ONCE: Final = 1000

Reaction = Callable[[Event, datetime], None]


def index_market(event: Event, _now: datetime) -> None:
    """Make the market findable by what it says now."""
    search_index.index(event.market_id)


def notify(event: Event, now: datetime) -> None:
    """Tell those whom the event concerns, in the app and by e-mail."""
    told = notifications.create_for(event, now=now)
    events.stir([notification.user_id for notification in told])
    if any(notification.email_due for notification in told):
        events.start_task(broker.SEND_EMAILS)


_WRITTEN: Final[tuple[Reaction, ...]] = (index_market, notify)
# kind of event: what follows from it, in this order
REACTIONS: Final = dict.fromkeys(EventType, _WRITTEN) | {EventType.TRADE: (notify,)}


@shared_task(name=broker.REACT, **RETRY)
def react(event_id: int) -> None:
    """Run all reactions to one event, in one transaction, once."""
    with transaction.atomic():
        event = (
            Event.objects.select_for_update(skip_locked=True, of=("self",))
            .select_related("market")
            .filter(pk=event_id, pending=True)
            .first()
        )
        if event is None:  # done before, or being done
            return
        for reaction in REACTIONS[EventType(event.type)]:
            reaction(event, timezone.now())
        event.pending = False
        event.save(update_fields=["pending"])
    with structlog.contextvars.bound_contextvars(request_id=event.request_id):
        logger.info("event_handled", market_id=event.market_id, seq=event.seq, type=event.type)


@shared_task(**RETRY)
def react_to_trades() -> int:
    """Run the reactions to the trades behind the cursor, each once, in the feed's order; return how many trades.

    A reaction that fails is logged and passed over: one trade must not hold up all later ones.
    """
    FeedCursor.objects.get_or_create(name=TRADES)
    with transaction.atomic():
        cursor = FeedCursor.objects.select_for_update(skip_locked=True).filter(name=TRADES).first()
        if cursor is None:  # another worker is at it
            return 0
        trades = feed.events_after(cursor.reached, limit=TRADES_AT_ONCE, types=[EventType.TRADE])
        for trade in trades:
            for reaction in REACTIONS[EventType.TRADE]:
                try:
                    with transaction.atomic():
                        reaction(trade, timezone.now())
                except (
                    OperationalError
                ):  # the database is away or busy: the whole batch is tried again
                    raise
                except Exception:
                    logger.exception(
                        "reaction_failed", event_id=trade.pk, reaction=reaction.__name__
                    )
        if trades:
            cursor.reached = feed.cursor_of(trades[-1])
            cursor.save()
    return len(trades)


@shared_task(name=broker.SEND_EMAILS, **RETRY)
def send_emails() -> None:
    """Send every e-mail that is due."""
    while sent := notifications.send_due_emails():
        logger.info("emails_sent", count=sent)


@shared_task(name=broker.BUILD_REPORT, **RETRY)
def build_report(report_id: int) -> None:
    """Build the file of one report."""
    report = (
        Report.objects.select_related("market")
        .filter(pk=report_id)
        .exclude(state=Report.State.DONE)
        .first()
    )
    if report is None:
        return
    with structlog.contextvars.bound_contextvars(request_id=report.request_id):
        try:
            with long_statements():
                report_files.build(report)
        except OperationalError:  # the database is away: tried again
            raise
        except Exception as error:
            logger.exception("report_failed", report_id=report_id)
            Report.objects.filter(pk=report_id).update(
                state=Report.State.FAILED, error=repr(error)[:300]
            )
        else:
            logger.info("report_done", report_id=report_id)
