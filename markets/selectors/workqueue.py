"""What waits for staff: each queue in the order in which it is worked off, and the days' totals."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from django.db import connection
from django.db.models import Exists, F, Func, IntegerField, OuterRef, Q, QuerySet

from markets.models import (
    AuditRun,
    Comment,
    CommentReport,
    DayTotal,
    Event,
    Job,
    Market,
    Proposal,
    Report,
    Status,
)

MOST_COUNTED: Final = 1000  # rows of a queue; more are "1,000+"
SOON: Final = timedelta(hours=24)
FAILED_LATELY: Final = timedelta(days=7)
HANDLED_WITHIN: Final = timedelta(minutes=1)  # an event whose worker is well


def awaiting_resolution(_now: datetime) -> QuerySet[Market]:
    """Return closed markets. `close_at` is when they closed (`services/lifecycle.py`)."""
    closed = _markets().filter(status="closed").order_by("close_at", "pk")
    return closed.prefetch_related("outcomes")


def closing_soon(now: datetime) -> QuerySet[Market]:
    closing = _markets().filter(close_at__gte=now, close_at__lt=now + SOON)
    return closing.filter(status__in=[Status.ACTIVE, Status.PAUSED]).order_by("close_at", "pk")


def drafts(_now: datetime) -> QuerySet[Market]:
    return _markets().filter(status=Status.DRAFT).order_by("-pk").select_related("created_by")


def failed_reports(now: datetime) -> QuerySet[Report]:
    failed = Report.objects.filter(state="failed", touched_at__gte=now - FAILED_LATELY)
    return failed.order_by("-touched_at").select_related("market", "requested_by")


def failed_operations(now: datetime) -> QuerySet[Job]:
    """Return jobs that failed, and those that could not change some of their markets."""
    failed = Q(state=Job.State.FAILED) | ~Q(failures=[])
    jobs = Job.objects.filter(failed, touched_at__gte=now - FAILED_LATELY).defer("market_ids")
    return jobs.order_by("-touched_at").select_related("requested_by")


def proposed(_now: datetime) -> QuerySet[Proposal]:
    """Return proposed resolutions that wait for another person, the oldest first."""
    waiting = Proposal.objects.filter(decided_at=None).order_by("proposed_at")
    return waiting.select_related("market", "proposed_by")


def reported_comments(_now: datetime) -> QuerySet[Comment]:
    """Return the comments with reports that nobody has decided on, the oldest first."""
    waiting = CommentReport.objects.filter(comment=OuterRef("pk"), decided_at=None)
    found = Comment.objects.filter(Exists(waiting)).order_by("pk")
    return found.select_related("author", "market")


def unhandled_events(now: datetime) -> QuerySet[Event]:
    late = Event.objects.filter(pending=True, at__lt=now - HANDLED_WITHIN)
    return late.order_by("pk").select_related("market")


def _markets() -> QuerySet[Market]:
    return Market.objects.defer("search_vector", "description", "resolution_criteria")


QUEUES: Final[Mapping[str, Callable[[datetime], QuerySet[Any]]]] = {
    "awaiting": awaiting_resolution,
    "closing": closing_soon,
    "drafts": drafts,
    "proposed": proposed,
    "reported": reported_comments,
    "failed_reports": failed_reports,
    "failed_operations": failed_operations,
    "unhandled": unhandled_events,
}


def counts(names: list[str], now: datetime) -> dict[str, int]:
    """Return the length of each queue, MOST_COUNTED + 1 if it is longer, in one statement."""
    if not names:
        return {}
    counted: list[str] = []
    parameters: list[Any] = []
    for name in names:
        queue = QUEUES[name](now).select_related(None).values("pk")[: MOST_COUNTED + 1]
        sql, values = queue.query.sql_with_params()
        counted.append(f"(SELECT count(*) FROM ({sql}) AS queue)")  # noqa: S608  (Django's own SQL)
        parameters += values
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {', '.join(counted)}", parameters)
        return dict(zip(names, cursor.fetchone(), strict=True))


def last_audit() -> Any:
    """Return the newest AuditRun, with the number of breaches `found` instead of them, or None."""
    found = Func(F("breaches"), function="jsonb_array_length", output_field=IntegerField())
    return AuditRun.objects.defer("breaches").annotate(found=found).order_by("-pk").first()


def day_totals(now: datetime, days: int) -> list[DayTotal]:
    """Return the last days in UTC, the oldest first; a day without trades has zeros."""
    today = now.date()
    first = today - timedelta(days=days - 1)
    known = {total.day: total for total in DayTotal.objects.filter(day__gte=first, day__lte=today)}
    every = (first + timedelta(days=number) for number in range(days))
    return [known.get(day) or DayTotal(day=day, trades=0, volume=0, traders=0) for day in every]
