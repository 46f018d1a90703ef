"""Builds the files that people ask for: big, in a worker, with progress."""

from __future__ import annotations

import csv
import tempfile
from collections.abc import Iterator
from typing import IO, Any, cast

from django.core.files import File
from django.utils import timezone

from markets.models import Event, Report

PROGRESS_EVERY = 2000  # rows
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def safe_cell(value: object) -> object:
    """A cell that a spreadsheet shows instead of running it (OWASP, CSV injection)."""
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA_STARTS) else value


def build(report: Report) -> None:
    """Write the report's file and mark it done. Running it again replaces what an interrupted run left."""
    Report.objects.filter(pk=report.pk).update(state=Report.State.RUNNING, progress=0, touched_at=timezone.now())
    rows, total = _market_history(report)
    with tempfile.TemporaryFile("w+", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        for number, row in enumerate(rows):  # the first row is the header
            writer.writerow([safe_cell(cell) for cell in row])
            if number % PROGRESS_EVERY == PROGRESS_EVERY - 1:
                done = min(99, number * 100 // max(total, 1))
                Report.objects.filter(pk=report.pk).update(progress=done, touched_at=timezone.now())
        file.flush()
        report.file.save(f"{report.kind}-{report.pk}.csv", File(cast(IO[Any], file.buffer)), save=False)
    Report.objects.filter(pk=report.pk).update(
        state=Report.State.DONE, progress=100, file=report.file.name, touched_at=timezone.now()
    )


def _market_history(report: Report) -> tuple[Iterator[list[Any]], int]:
    """Every event of the market with the prices after it; and how many there are."""
    market = report.market
    assert market is not None
    outcomes = list(market.outcomes.all())

    def rows() -> Iterator[list[Any]]:
        yield ["seq", "at", "type", *(f"price of {outcome.label}" for outcome in outcomes)]
        events = Event.objects.filter(market=market).order_by("seq")
        for event in events.iterator(chunk_size=PROGRESS_EVERY):
            yield [event.seq, event.at.isoformat(), event.type, *(event.prices.get(str(o.pk), "") for o in outcomes)]

    return rows(), market.seq
