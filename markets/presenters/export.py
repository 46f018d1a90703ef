"""Rows as a file that spreadsheets read.

Rows are read in the order of their ids, CHUNK at a time, each time with a connection of the pool:
no statement, transaction or list grows with the export. What changes meanwhile is exported as it is
when its rows are read.
"""

import csv
import io
import re
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from django.db.models import QuerySet

from markets.infra.threads import in_thread

CHUNK: Final = 2_000  # rows
_NEGATIVE: Final = re.compile(r"-[0-9]+(\.[0-9]+)?")

Row = dict[str, Any]


@dataclass(frozen=True)
class Export:
    """How the rows of a list are written: `columns` in order, `amounts` among them are decimals."""

    columns: tuple[str, ...]
    amounts: frozenset[str]
    present: Callable[[Any], Row]
    load: Callable[[], QuerySet[Any]]  # all that `present` reads
    select: Callable[[QuerySet[Any]], QuerySet[Any]] = lambda rows: rows  # rows of the list → ours

    def has_more_than(self, most: int, listed: QuerySet[Any]) -> bool:
        rows = self.select(listed).order_by("pk").values_list("pk", flat=True)
        return bool(rows[most : most + 1])

    def chunks(self, listed: QuerySet[Any]) -> Iterator[list[list[Any]]]:
        """Yield the values of the rows, CHUNK rows at a time. Each step reads the database."""
        selected, last = self.select(listed).order_by("pk"), 0
        while True:
            ids = list(selected.filter(pk__gt=last).values_list("pk", flat=True)[:CHUNK])
            if not ids:
                return
            last = ids[-1]
            rows = (self.present(row) for row in self.load().filter(pk__in=ids).order_by("pk"))
            yield [[row[column] for column in self.columns] for row in rows]

    def numbers(self, values: list[Any]) -> list[Any]:
        """Return the values with amounts as numbers, for a workbook."""
        pairs = zip(self.columns, values, strict=True)
        return [Decimal(value) if column in self.amounts else value for column, value in pairs]


async def csv_chunks(export: Export, listed: QuerySet[Any]) -> AsyncIterator[bytes]:
    """Yield the file in pieces; each is read when the one before has been taken."""
    yield b"\xef\xbb\xbf" + _csv([export.columns])  # spreadsheets know UTF-8 by the mark
    chunks = export.chunks(listed)
    while rows := await in_thread(next, chunks, None):
        yield _csv(rows)


def _csv(rows: Iterable[Iterable[Any]]) -> bytes:
    file = io.StringIO(newline="")
    csv.writer(file).writerows([safe_cell(value) for value in row] for row in rows)
    return file.getvalue().encode()


def safe_cell(value: object) -> object:
    """Return a cell that no spreadsheet runs as a formula (OWASP, CSV injection).

    A plain negative number stays one.
    """
    formula = isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r"))
    return f"'{value}" if formula and not _NEGATIVE.fullmatch(str(value)) else value
