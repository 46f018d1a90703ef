"""Builds the files that people ask for: big, in a worker, with progress."""

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
Table = tuple[Iterator[list[Any]], int]  # rows, the header first; and about how many there will be
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def safe_cell(value: object) -> object:
    """A cell that a spreadsheet shows instead of running it (OWASP, CSV injection)."""
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA_STARTS) else value


def build(report: Report) -> None:
    """Write the report's file and mark it done. Running it again replaces what an interrupted run left."""
    Report.objects.filter(pk=report.pk).update(
        state=Report.State.RUNNING, progress=0, touched_at=timezone.now()
    )
    rows, total = BUILDERS[report.kind](report)
    with tempfile.TemporaryFile("w+", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        for number, row in enumerate(rows):  # the first row is the header
            writer.writerow([safe_cell(cell) for cell in row])
            if number % PROGRESS_EVERY == PROGRESS_EVERY - 1:
                done = min(99, number * 100 // max(total, 1))
                Report.objects.filter(pk=report.pk).update(progress=done, touched_at=timezone.now())
        file.flush()
        report.file.save(
            f"{report.kind}-{report.pk}.csv", File(cast(IO[Any], file.buffer)), save=False
        )
    Report.objects.filter(pk=report.pk).update(
        state=Report.State.DONE, progress=100, file=report.file.name, touched_at=timezone.now()
    )


def _market_history(report: Report) -> Table:
    """Every event of the market with the prices after it."""
    market = report.market
    assert market is not None
    outcomes = list(market.outcomes.all())

    def rows() -> Iterator[list[Any]]:
        yield ["seq", "at", "type", *(f"price of {outcome.label}" for outcome in outcomes)]
        for event in (
            Event.objects.filter(market=market).order_by("seq").iterator(chunk_size=PROGRESS_EVERY)
        ):
            yield [
                event.seq,
                event.at.isoformat(),
                event.type,
                *(event.prices.get(str(o.pk), "") for o in outcomes),
            ]

    return rows(), market.seq


def _trades_export(report: Report) -> Table:
    """Every trade, of one market or of all, with whose it was: for staff."""
    trades = Trade.objects.order_by("pk").select_related("trader", "outcome")
    if report.market_id:
        trades = trades.filter(market_id=report.market_id)

    def rows() -> Iterator[list[Any]]:
        yield [
            "id",
            "at",
            "market_id",
            "outcome",
            "trader",
            "side",
            "shares",
            "cost",
            "price_before",
            "price_after",
            "client_order_id",
        ]
        for t in trades.iterator(chunk_size=PROGRESS_EVERY):
            amounts = [
                to_text(amount) for amount in (t.shares, t.cost, t.price_before, t.price_after)
            ]
            who = t.trader.get_username()
            yield [
                t.pk,
                t.at.isoformat(),
                t.market_id,
                t.outcome.label,
                who,
                t.side,
                *amounts,
                t.client_order_id,
            ]

    return rows(), trades.count()


def _calibration(_report: Report) -> Table:
    """How often outcomes came true that stood at each tenth before their market was settled, and the Brier score of each."""

    def rows() -> Iterator[list[Any]]:
        yield ["price from", "price to", "outcomes", "mean price", "came true", "Brier score"]
        for tenth, found in calibration.tenths().items():
            price, truth = (sum(column) / len(found) for column in zip(*found, strict=True))
            brier = sum((p - t) ** 2 for p, t in found) / len(found)
            yield [
                tenth / 10,
                (tenth + 1) / 10,
                len(found),
                f"{price:.4f}",
                f"{truth:.4f}",
                f"{brier:.4f}",
            ]

    return rows(), 10


def _ledger_audit(_report: Report) -> Table:
    """Every breach of a promise; the header alone when all is well."""

    def rows() -> Iterator[list[Any]]:
        yield ["check", "subject", "detail"]
        for breach in audit.breaches():
            yield [breach.check, breach.subject, breach.detail]

    return rows(), 1


BUILDERS: Final[dict[str, Callable[[Report], Table]]] = {
    Report.Kind.MARKET_HISTORY: _market_history,
    Report.Kind.TRADES_EXPORT: _trades_export,
    Report.Kind.CALIBRATION: _calibration,
    Report.Kind.LEDGER_AUDIT: _ledger_audit,
}
