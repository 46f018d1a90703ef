"""The admin's home: what waits for somebody, how the money stands, and the trades of a month."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, NamedTuple
from urllib.parse import urlencode

from django.conf import settings
from django.db.models import Model
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.safestring import SafeString
from django.utils.text import Truncator
from django.utils.timesince import timesince, timeuntil

from markets.admin.base import StaffRequest
from markets.admin.navigation import AWAITING, REPORTED, list_of, row_of, sees, shown_count
from markets.domain.amounts import to_money, to_percent
from markets.domain.permissions import Permission, may
from markets.models import Account, AuditRun, Comment, Event, Job, Market, Proposal, Report, Trade
from markets.presenters.chart import Bar, bar_chart
from markets.selectors import workqueue
from markets.services.bulk import OPERATIONS

MOST_ROWS: Final = 7
LONG_DAYS: Final = 7  # of waiting for a resolution
CHART_DAYS: Final = 30


class Row(NamedTuple):
    """A line of a section: what it is, where it leads, and why it stands there."""

    text: str
    address: str
    note: str
    figure: str = ""
    tone: str = ""  # of the figure: a variant of Unfold's label
    retry: str = ""  # the address that does it again, for who may


class Source(NamedTuple):
    """Rows of one model: a queue (`selectors/workqueue.py`), its list, and how a row is shown."""

    queue: str
    model: type[Model]
    query: Callable[[datetime], str]
    show: Callable[[StaffRequest, Any, datetime], Row]


@dataclass
class Section:
    title: str
    empty: str
    sources: tuple[Source, ...]
    beside: bool = False  # in the second column of a wide screen
    rows: list[Row] = field(default_factory=list)
    count: int = 0
    address: str = ""

    @property
    def length(self) -> str:
        return shown_count(self.count)

    @property
    def more(self) -> str:
        """Return how many are not shown: `5`, `993+`, or nothing."""
        hidden = min(self.count, workqueue.MOST_COUNTED) - len(self.rows)
        plus = "+" if self.count > workqueue.MOST_COUNTED else ""
        return f"{hidden:,}{plus}" if hidden > 0 or plus else ""


def _moment(at: datetime) -> str:
    return date_format(timezone.localtime(at), "j M, H:i T")


def _ago(at: datetime, now: datetime) -> str:
    minutes = (now - at).total_seconds() >= 60
    return f"{timesince(at, now, depth=1)} ago" if minutes else "just now"


def _awaiting(_request: StaffRequest, market: Market, now: datetime) -> Row:
    closed = market.close_at or market.updated_at
    days = (now - closed).days
    waits = f"{days} day{'' if days == 1 else 's'}" if days > 0 else "today"
    outcome, price = market.leader()
    note = f"{outcome.label} at {to_percent(price)} · closed {_moment(closed)}"
    return Row(market.name, row_of(market), note, waits, "warning" if days >= LONG_DAYS else "")


def _closing(_request: StaffRequest, market: Market, now: datetime) -> Row:
    assert market.close_at is not None
    left = timeuntil(market.close_at, now, depth=1)
    return Row(market.name, row_of(market), f"closes {_moment(market.close_at)}", f"in {left}")


def _draft(_request: StaffRequest, market: Market, now: datetime) -> Row:
    writer = market.created_by.get_username() if market.created_by else "an import"
    return Row(market.name, row_of(market), f"by {writer}, {_ago(market.created_at, now)}")


def _failed_report(request: StaffRequest, report: Report, now: datetime) -> Row:
    about = f" of {report.market.name}" if report.market else ""
    why, when = report.error or "No reason is known.", _ago(report.touched_at, now)
    note = f"{why} · {report.requested_by}, {when}"
    retry = reverse("admin:markets_report_retry", args=[report.pk])
    return Row(
        f"Report {report.pk}: {report.get_kind_display().lower()}{about}",
        row_of(report),
        note,
        retry=retry if may(request.user, Permission.EXPORT_DATA) else "",
    )


def _failed_operation(request: StaffRequest, job: Job, now: datetime) -> Row:
    failed = job.state == Job.State.FAILED
    why = job.error if failed else f"{len(job.failures)} markets were not changed"
    note = f"{why} · {job.requested_by}, {_ago(job.touched_at, now)}"
    own = failed and job.requested_by_id == request.user.pk
    retry = reverse("admin:markets_job_retry_page", args=[job.pk]) if own else ""
    return Row(OPERATIONS[job.operation].name, row_of(job), note, retry=retry)


def _proposed(_request: StaffRequest, proposal: Proposal, now: datetime) -> Row:
    left = timeuntil(proposal.review_until, now, depth=1)
    ready = proposal.review_until <= now
    note = f"proposed by {proposal.proposed_by}, {_ago(proposal.proposed_at, now)}"
    figure = "ready" if ready else f"in {left}"
    return Row(proposal.market.name, row_of(proposal.market), note, figure, "info" if ready else "")


def _reported(_request: StaffRequest, comment: Comment, now: datetime) -> Row:
    note = f"{comment.author} on {comment.market.name}, {_ago(comment.created_at, now)}"
    return Row(Truncator(comment.text).chars(80), row_of(comment), note)


def _unhandled(_request: StaffRequest, event: Event, now: datetime) -> Row:
    return Row(event.market.name, row_of(event), event.type, _ago(event.at, now), "danger")


def _failed_query(now: datetime) -> str:
    since = now - workqueue.FAILED_LATELY
    return urlencode({"state__exact": "failed", "touched_at__gte": since.isoformat()})


def _unhandled_query(now: datetime) -> str:
    late = now - workqueue.HANDLED_WITHIN
    return urlencode({"pending__exact": 1, "at__lt": late.isoformat()})


def _reviews() -> list[Section]:
    """Return the section of proposed resolutions, where two people resolve a market."""
    if settings.RESOLUTION_REVIEW_HOURS is None:
        return []
    empty = "No resolution waits for another person's approval."
    source = Source("proposed", Market, lambda _now: AWAITING, _proposed)
    return [Section("Resolutions to approve", empty, (source,))]


def _sections() -> list[Section]:
    """Return the sections, still without rows. A further kind of job is one more source."""
    return [
        Section(
            "Awaiting resolution",
            "Nothing waits for a resolution.",
            (Source("awaiting", Market, lambda _now: AWAITING, _awaiting),),
        ),
        *_reviews(),
        Section(
            "Reported comments",
            "Nobody has reported a comment.",
            (Source("reported", Comment, lambda _now: REPORTED, _reported),),
            beside=True,
        ),
        Section(
            "Closing within 24 hours",
            "Nothing closes within 24 hours.",
            (Source("closing", Market, lambda _now: urlencode({"queue": "closing"}), _closing),),
            beside=True,
        ),
        Section(
            "Drafts",
            "There are no drafts.",
            (Source("drafts", Market, lambda _now: urlencode({"queue": "drafts"}), _draft),),
        ),
        Section(
            "Failed jobs",
            "No job has failed in the last 7 days.",
            (
                Source("failed_operations", Job, lambda _now: "failed=1", _failed_operation),
                Source("failed_reports", Report, _failed_query, _failed_report),
            ),
            beside=True,
        ),
        Section(
            "Events nobody handled",
            "Every event was handled.",
            (Source("unhandled", Event, _unhandled_query, _unhandled),),
            beside=True,
        ),
    ]


def sections(request: StaffRequest, now: datetime) -> list[Section]:
    """Return the sections that the person may see, each with its first rows."""
    shown = []
    for section in _sections():
        seen = tuple(source for source in section.sources if sees(request, source.model))
        if seen:
            section.sources = seen
            shown.append(section)
    lengths = workqueue.counts([s.queue for section in shown for s in section.sources], now)
    for section in shown:
        for source in section.sources:
            section.count += lengths[source.queue]
            if not section.address or not section.rows:
                section.address = f"{list_of(source.model)}?{source.query(now)}"
            if lengths[source.queue]:
                waiting = workqueue.QUEUES[source.queue](now)[: MOST_ROWS - len(section.rows)]
                section.rows += [source.show(request, row, now) for row in waiting]
    return shown


class Figure(NamedTuple):
    title: str
    amount: str  # credits
    address: str


def money(request: StaffRequest) -> dict[str, Any]:
    """Return the last audit, and for who sees accounts what it counted."""
    if not sees(request, AuditRun):
        return {}
    audit = workqueue.last_audit()
    found: dict[str, Any] = {"audit": audit, "audits": list_of(AuditRun), "money": True}
    if audit is None:
        return found
    found["audit_address"] = row_of(audit)
    if audit.found:
        found["breaches"] = f"{audit.found:,} breach{'' if audit.found == 1 else 'es'}"
    held = (
        ("Issued", audit.issuance, -1, Account.Kind.ISSUANCE),
        ("With traders", audit.with_traders, 1, Account.Kind.TRADER),
        ("In markets", audit.in_markets, 1, Account.Kind.MARKET),
    )
    if sees(request, Account):
        found["figures"] = [
            Figure(title, to_money(sign * amount), f"{list_of(Account)}?kind__exact={kind}")
            for title, amount, sign, kind in held
            if amount is not None
        ]
    return found


class Chart(NamedTuple):
    title: str
    today: str
    most: str
    picture: SafeString


def charts(request: StaffRequest, now: datetime) -> dict[str, Any]:
    """Return the charts of the last days, for who sees trades."""
    if not sees(request, Trade):
        return {}
    totals = workqueue.day_totals(now, CHART_DAYS)
    names = [date_format(total.day, "j M") for total in totals]

    def chart(title: str, column: str, text: Callable[[int], str]) -> Chart:
        sizes = [getattr(total, column) for total in totals]
        bars = [Bar(name, size, text(size)) for name, size in zip(names, sizes, strict=True)]
        return Chart(title, bars[-1].text, text(max(sizes)), bar_chart(title, bars))

    shown = [
        chart("Trades", "trades", lambda count: f"{count:,}"),
        chart("Volume in credits", "volume", to_money),
        chart("Active traders", "traders", lambda count: f"{count:,}"),
    ]
    return {
        "charts": shown, "first_day": names[0], "last_day": names[-1], "trades": list_of(Trade),
    }  # fmt: skip


def work_queue(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Return the context of `admin/index.html` (`DASHBOARD_CALLBACK` in the settings)."""
    now = timezone.now()
    asked: Any = request
    waiting = sections(asked, now)
    columns = ([s for s in waiting if not s.beside], [s for s in waiting if s.beside])
    return {
        **context,
        "title": "Work queue",
        "has_rights": bool(context["app_list"]),
        "columns": [column for column in columns if column],
        **money(asked),
        **charts(asked, now),
    }
