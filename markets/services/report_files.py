"""Build the files of reports in a worker, with progress."""

import csv
import tempfile
from collections.abc import Callable, Iterator
from typing import IO, Any, Final, cast

from django.core.files import File
from django.utils import timezone

from markets.domain.amounts import to_text
from markets.models import Event, Report, Trade
from markets.selectors import audit, calibration

PROGRESS_EVERY = 2000  # rows
Rows = Iterator[list[Any]]
_FORMULA_STARTS: Final = ("=", "+", "-", "@", "\t", "\r")


def safe_cell(value: object) -> object:
    """Return a cell that no spreadsheet runs as a formula (OWASP, CSV injection)."""
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA_STARTS) else value


def build(report: Report) -> None:
    """Write the file of a report, also after an aborted run, and mark the report as done."""
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
    """Return every event of the market with the prices after it."""
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
    """Return every trade and its trader, of one market or of all: for staff."""
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
    """Return how often outcomes came true, and their Brier score, by tenth of the final price."""

    def rows() -> Rows:
        yield ["price from", "price to", "outcomes", "mean price", "came true", "Brier score"]
        for tenth, found in calibration.tenths().items():
            price, truth = (sum(column) / len(found) for column in zip(*found, strict=True))
            brier = sum((p - t) ** 2 for p, t in found) / len(found)
            means = [f"{mean:.4f}" for mean in (price, truth, brier)]
            yield [tenth / 10, (tenth + 1) / 10, len(found), *means]

    return rows(), 10


def _ledger_audit(_report: Report) -> tuple[Rows, int]:
    """Return every breach that the audit finds."""

    def rows() -> Rows:
        yield ["check", "subject", "detail"]
        for breach in audit.breaches():
            yield [breach.check, breach.subject, breach.detail]

    return rows(), 1


# kind → the function that returns the rows, header first, and about their number
BUILDERS: Final[dict[str, Callable[[Report], tuple[Rows, int]]]] = {
    Report.Kind.MARKET_HISTORY: _market_history,
    Report.Kind.TRADES_EXPORT: _trades_export,
    Report.Kind.CALIBRATION: _calibration,
    Report.Kind.LEDGER_AUDIT: _ledger_audit,
}
