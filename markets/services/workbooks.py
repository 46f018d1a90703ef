"""Read the file of an import. In an XLSX workbook the header is row 1, one market a row below.

A workbook is a zip archive of XML. Its declared sizes are checked before anything is unpacked:
`zipfile` never unpacks more of a member than its declared size.
"""

import io
import re
import zipfile
import zlib
from collections.abc import Iterator
from datetime import date, datetime, time
from typing import Any, Final
from xml.etree.ElementTree import ParseError

from openpyxl import load_workbook
from openpyxl.utils.exceptions import InvalidFileException

from markets.domain.errors import Invalid
from markets.services.importing import (
    MOST_ROWS,
    Row,
    Table,
    check_header,
    parse_csv,
    parse_json,
)

MOST_UNPACKED: Final = 32 * 2**20  # bytes
MOST_COLUMNS: Final = 100
MOST_LINES: Final = 100_000  # of a sheet, empty ones among them
MARKETS_SHEET: Final = "markets"

_MERGED = re.compile(rb'<(?:\w+:)?mergeCell\s[^>]*ref="([A-Z0-9:]{2,20})"')
_FORMULA = re.compile(rb"<(?:\w+:)?f[\s/>]")
_OLD_FORMAT = b"\xd0\xcf\x11\xe0"
# what zipfile and openpyxl raise at archives and XML that are damaged or made up
_DAMAGED = (
    zipfile.BadZipFile, InvalidFileException, ParseError, KeyError, ValueError, TypeError,
    AttributeError, IndexError, ArithmeticError, EOFError, OSError, RuntimeError, zlib.error,
)  # fmt: skip


def parse_file(name: str, data: bytes) -> Table:
    """Read a workbook, JSON or CSV, by what it begins with and its name. Raise as the parsers."""
    if data.startswith((b"PK\x03\x04", _OLD_FORMAT)) or name.lower().endswith(".xlsx"):
        return parse_xlsx(data)
    return parse_json(data) if name.lower().endswith(".json") else parse_csv(data)


def parse_xlsx(data: bytes) -> Table:
    """Return the rows with the numbers of the sheet. Raise Invalid."""
    if data.startswith(_OLD_FORMAT):
        raise Invalid(
            file="This is an old Excel file or one with a password: "
            "save it as .xlsx, without a password."
        )
    try:
        _check_archive(data)
        book = load_workbook(io.BytesIO(data), read_only=True, data_only=True)
        try:
            sheet = _sheet_of(book)
            source = _source(sheet)
            if merged := _MERGED.search(source):
                where = merged[1].decode()
                raise Invalid(file=f"The cells {where} are merged: unmerge them and fill each one.")
            if _FORMULA.search(source):
                _check_results(data, sheet)
            return Table(list(_rows(sheet)))
        finally:
            book.close()
    except Invalid:
        raise
    except _DAMAGED:
        raise Invalid(
            file="This is not a workbook that can be read: open it and save it as .xlsx again."
        ) from None


def _check_archive(data: bytes) -> None:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = archive.infolist()
    if any(member.flag_bits & 1 for member in members):
        raise Invalid(file="The file has a password: save it without one.")
    if any(member.filename.lower().endswith("vbaproject.bin") for member in members):
        raise Invalid(file="The workbook has macros: save it as .xlsx, which has none.")
    if sum(member.file_size for member in members) > MOST_UNPACKED:
        most = MOST_UNPACKED // 2**20
        raise Invalid(file=f"Unpacked the workbook has more than {most} MB: split it.")


def _sheet_of(book: Any) -> Any:
    """Return the sheet "markets", or the only one that is not empty. Raise Invalid."""
    named = [sheet for sheet in book.worksheets if sheet.title.lower() == MARKETS_SHEET]
    filled = named or [sheet for sheet in book.worksheets if _header(sheet)]
    if not filled:
        raise Invalid(file="The first row of the workbook is empty: it must name the columns.")
    if len(filled) > 1:
        raise Invalid(
            file=f"The workbook has {len(filled)} sheets: "
            f'give the one to import the name "{MARKETS_SHEET}".'
        )
    return filled[0]


def _cells(sheet: Any) -> Iterator[tuple[Any, ...]]:
    """Yield the rows as tuples of MOST_COLUMNS + 1 cells, whatever size the sheet claims."""
    sheet.reset_dimensions()
    yield from sheet.iter_rows(max_col=MOST_COLUMNS + 1, max_row=MOST_LINES + 1)


def _header(sheet: Any) -> list[str]:
    cells = next(_cells(sheet), ())
    names = ["" if cell.value is None else str(cell.value).strip() for cell in cells]
    while names and not names[-1]:
        names.pop()
    return names


def _source(sheet: Any) -> bytes:
    with sheet._get_source() as source:
        found: bytes = source.read()
    return found


def _rows(sheet: Any) -> Iterator[tuple[int, Row]]:
    header = _header(sheet)
    if len(header) > MOST_COLUMNS:
        raise Invalid(file=f"The sheet has more than {MOST_COLUMNS} columns.")
    check_header([name for name in header if name])
    count = characters = 0
    for number, cells in enumerate(_cells(sheet), 1):
        row = {
            name: _value(cell, f"row {number}, {name}")
            for name, cell in zip(header, cells, strict=False)
            if name
        }
        if number > MOST_LINES:
            raise Invalid(file=f"The sheet has more than {MOST_LINES:,} lines: delete empty ones.")
        if number == 1 or not any(value not in {None, ""} for value in row.values()):
            continue
        count += 1
        if count > MOST_ROWS:
            raise Invalid(file=f"The file has more than {MOST_ROWS:,} rows.")
        # cells may share one long text
        characters += sum(len(value) for value in row.values() if isinstance(value, str))
        if characters > MOST_UNPACKED:
            raise Invalid(file=f"The texts have more than {MOST_UNPACKED:,} characters: split it.")
        yield number, row


def _value(cell: Any, where: str) -> Any:
    """Return a text, number, bool or None, with dates as ISO 8601. Raise Invalid for an error."""
    value = cell.value
    if cell.data_type == "e":
        raise Invalid(file=f"In {where}, the formula has no result but {value}: correct it.")
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if value is None or isinstance(value, str | int | float):
        return value
    return str(value)


def _check_results(data: bytes, sheet: Any) -> None:
    """Raise Invalid for a formula whose result no program has saved."""
    book = load_workbook(io.BytesIO(data), read_only=True)
    try:
        both = zip(_cells(book[sheet.title]), _cells(sheet), strict=False)
        for number, (formulas, results) in enumerate(both, 1):
            for formula, result in zip(formulas, results, strict=False):
                if formula.data_type == "f" and result.value is None:
                    raise Invalid(
                        file=f"A formula in row {number} has no saved result: "
                        "open the workbook and save it again, or paste the values."
                    )
    finally:
        book.close()
