"""Request reports, and build their files in a worker."""

import csv
import tempfile
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import IO, Any, Final, cast

from django.contrib.auth.base_user import AbstractBaseUser
from django.core.files import File
from django.utils import timezone

from markets import events
from markets.domain.amounts import to_text
from markets.domain.errors import AlreadyDone, Invalid
from markets.infra import broker
from markets.infra.request_context import current_request_id
from markets.models import Event, Report, Trade
from markets.presenters.export import safe_cell
from markets.selectors import audit, calibration, markets, reports

PROGRESS_EVERY = 2000  # rows
Rows = Iterator[list[Any]]


def request_report(
    *, actor: AbstractBaseUser, now: datetime, kind: str, market_id: int | None = None
) -> Report:
    """Queue a report for a worker. Raise Invalid, NotFound."""
    if kind == Report.Kind.MARKET_HISTORY and market_id is None:
        raise Invalid(market_id="Say which market's history.")
    if market_id is not None and kind in {Report.Kind.CALIBRATION, Report.Kind.LEDGER_AUDIT}:
        raise Invalid(market_id="This report is about all markets.")
    report = Report.objects.create(
        kind=kind,
        market=markets.get(market_id, drafts=True) if market_id else None,
        requested_by_id=actor.pk,
        request_id=current_request_id(),
        created_at=now,
        touched_at=now,
    )
    events.start_task(broker.BUILD_REPORT, report.pk)
    return report


def retry_report(*, report_id: int, now: datetime) -> Report:
    """Queue a failed report again. Raise NotFound, AlreadyDone when it has not failed."""
    report = reports.get(report_id)
    failed = Report.objects.filter(pk=report_id, state=Report.State.FAILED)
    if not failed.update(state=Report.State.QUEUED, progress=0, error="", touched_at=now):
        raise AlreadyDone
    broker.start(broker.BUILD_REPORT, report_id)
    report.refresh_from_db()
    return report


def build(report: Report) -> None:
    """Write the file of a report, also after an aborted run."""
    _update(report, state=Report.State.RUNNING, progress=0)
    rows, total = BUILDERS[report.kind](report)
    with tempfile.TemporaryFile("w+", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        for number, row in enumerate(rows, 1):
            writer.writerow([safe_cell(cell) for cell in row])
            if number % PROGRESS_EVERY == 0:
                _update(report, progress=min(99, (number - 1) * 100 // max(total, 1)))
        file.flush()
        name = f"{report.kind}-{report.pk}.csv"
        report.file.save(name, File(cast(IO[Any], file.buffer)), save=False)
    _update(report, state=Report.State.DONE, progress=100, file=report.file.name)


def _update(report: Report, **columns: object) -> None:
    Report.objects.filter(pk=report.pk).update(touched_at=timezone.now(), **columns)


def _market_history(report: Report) -> tuple[Rows, int]:
    market = report.market
    assert market is not None
    outcomes = list(market.outcomes.all())
    events = Event.objects.filter(market=market).order_by("seq")

    def rows() -> Rows:
        yield ["seq", "at", "type", *(f"price of {outcome.label}" for outcome in outcomes)]
        for event in events.iterator(chunk_size=PROGRESS_EVERY):
            prices = [event.prices.get(str(outcome.pk), "") for outcome in outcomes]
            yield [event.seq, event.at.isoformat(), event.type, *prices]

    return rows(), market.seq


def _trades_export(report: Report) -> tuple[Rows, int]:
    """Return the trades of one market or of all, with their traders: for staff."""
    trades = Trade.objects.order_by("pk").select_related("trader", "outcome")
    if report.market_id:
        trades = trades.filter(market_id=report.market_id)
    amounts = ("shares", "cost", "price_before", "price_after")

    def rows() -> Rows:
        yield ["id", "at", "market_id", "outcome", "trader", "side", *amounts, "client_order_id"]
        for trade in trades.iterator(chunk_size=PROGRESS_EVERY):
            head = [trade.pk, trade.at.isoformat(), trade.market_id, trade.outcome.label]
            texts = [to_text(getattr(trade, amount)) for amount in amounts]
            yield [*head, trade.trader.get_username(), trade.side, *texts, trade.client_order_id]

    return rows(), trades.count()


def _calibration(_report: Report) -> tuple[Rows, int]:
    """Return truth and Brier score by tenth of the final price."""

    def rows() -> Rows:
        yield ["price from", "price to", "outcomes", "mean price", "came true", "Brier score"]
        for tenth, found in calibration.tenths().items():
            price, truth = (sum(column) / len(found) for column in zip(*found, strict=True))
            brier = sum((p - t) ** 2 for p, t in found) / len(found)
            means = [f"{mean:.4f}" for mean in (price, truth, brier)]
            yield [tenth / 10, (tenth + 1) / 10, len(found), *means]

    return rows(), 10


def _ledger_audit(_report: Report) -> tuple[Rows, int]:
    def rows() -> Rows:
        yield ["check", "subject", "detail"]
        for breach in audit.breaches():
            yield [breach.check, breach.subject, breach.detail]

    return rows(), 1


# kind → rows, header first, and about their number
BUILDERS: Final[dict[str, Callable[[Report], tuple[Rows, int]]]] = {
    Report.Kind.MARKET_HISTORY: _market_history,
    Report.Kind.TRADES_EXPORT: _trades_export,
    Report.Kind.CALIBRATION: _calibration,
    Report.Kind.LEDGER_AUDIT: _ledger_audit,
}
