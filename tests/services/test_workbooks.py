"""Workbooks that are imported, and those that cannot be."""

import io
import re
import zipfile
from datetime import datetime

import pytest
from openpyxl import Workbook

from markets.domain.errors import Invalid
from markets.models import Market
from markets.services import importing
from markets.services.workbooks import parse_file, parse_xlsx
from tests.support.clock import NOW

HEADER = ("external_id", "name")
CLOSES = datetime(2027, 1, 31, 12)  # noqa: DTZ001  (a cell has no zone)
ROWS = (HEADER, ("x:1", "Rain?"))


def book_of(*rows, title="Sheet"):
    book = Workbook()
    sheet = book.worksheets[0]
    sheet.title = title
    for row in rows:
        sheet.append(row)
    return book


def saved(book):
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


def edited(data, member, change):
    """The archive with one member changed; `change` gets None for a new one."""
    out = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(data)) as old,
        zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new,
    ):
        for name in {*old.namelist(), member}:
            body = old.read(name) if name in old.namelist() else None
            new.writestr(name, change(body) if name == member else body)
    return out.getvalue()


def rows_of(data):
    return [(number, dict(row)) for number, row in parse_xlsx(data).rows]


def test_a_row_of_a_workbook_becomes_a_market(world):
    header = (*HEADER, "outcomes", "probability", "close_at", "liquidity")
    data = saved(book_of(header, (17, " Who wins?", "Ann|Ben", 0.25, CLOSES, 150)))
    importing.import_markets(table=parse_file("a.xlsx", data), actor=None, now=NOW)
    market = Market.objects.get()
    assert (market.external_id, market.name, market.liquidity) == ("17", "Who wins?", 150_000_000)
    assert market.close_at.isoformat() == "2027-01-31T12:00:00+00:00"
    assert [o.probability for o in market.outcomes.all()] == [250_000, 750_000]


def test_row_numbers_are_those_of_the_sheet_and_empty_rows_are_nothing():
    data = saved(book_of(HEADER, (None, ""), ("x:1", "Rain?"), (), ("x:2", "Snow?"), ("", None)))
    assert [number for number, _ in rows_of(data)] == [3, 5]


def test_the_only_sheet_with_something_in_it_is_read_or_the_one_named_markets():
    book = book_of()
    book.create_sheet("Empty")
    full = book.create_sheet("Questions")
    for row in ROWS:
        full.append(row)
    assert len(rows_of(saved(book))) == 1
    for number in range(20):
        for row in ROWS:
            book.create_sheet(f"More {number}").append(row)
    with pytest.raises(Invalid, match='sheets: give the one to import the name "markets"'):
        parse_xlsx(saved(book))
    full.title = "Markets"
    assert len(rows_of(saved(book))) == 1


def merged():
    book = book_of(*ROWS)
    book.worksheets[0].merge_cells("A2:B2")
    return saved(book)


def far_away(column):
    return edited(
        saved(book_of(*ROWS)),
        "xl/worksheets/sheet1.xml",
        lambda xml: xml.replace(
            b"</sheetData>",
            b'<row r="%d"><c r="A%d"><v>1</v></c></row></sheetData>' % (column, column),
        ),
    )


def locked():
    """Says of itself that a password is needed."""
    data = bytearray(saved(book_of(*ROWS)))
    for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        for found in re.finditer(re.escape(mark), bytes(data)):
            data[found.start() + offset] |= 1
    return bytes(data)


def shared_text():
    """A thousand cells that name one long text, a file of a few kilobytes."""
    data = saved(book_of(HEADER, *[(f"x:{n}", "shared") for n in range(1_000)]))
    text = b"<is><t>shared</t></is>"
    sheet = lambda xml: xml.replace(b't="inlineStr">' + text, b't="s"><v>0</v>')
    table = b'<sst xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><si><t>%s</t></si></sst>'
    known = b'<Override PartName="/xl/sharedStrings.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sharedStrings+xml"/></Types>'
    data = edited(data, "[Content_Types].xml", lambda xml: xml.replace(b"</Types>", known))
    data = edited(data, "xl/worksheets/sheet1.xml", sheet)
    return edited(data, "xl/sharedStrings.xml", lambda _: table % (b"a" * 100_000))


FORMULA = (HEADER, ("x:1", '="Rain"&"?"'))


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: edited(saved(book_of(*ROWS)), "xl/vbaProject.bin", lambda _: b"macro"), "has macros: save it as .xlsx"),
        (merged, "The cells A2:B2 are merged"),
        (locked, "has a password"),
        (lambda: b"\xd0\xcf\x11\xe0" + b"x" * 5000, "an old Excel file or one with a password"),
        (lambda: saved(book_of(*ROWS))[:-400], "not a workbook that can be read"),
        (lambda: b"PK\x03\x04" + b"x" * 5000, "not a workbook that can be read"),
        (lambda: edited(saved(book_of(*ROWS)), "xl/workbook.xml", lambda _: b"<workbook"), "not a workbook that can be read"),
        (lambda: edited(saved(book_of(*ROWS)), "xl/worksheets/sheet1.xml", lambda xml: xml[:-30]), "not a workbook that can be read"),
        (lambda: edited(saved(book_of(*ROWS)), "xl/media/bomb", lambda _: b"\0" * 40_000_000), "more than 32 MB"),
        (lambda: saved(book_of()), "The first row of the workbook is empty"),
        (lambda: saved(book_of(("name",), ("Rain?",))), "lacks external_id"),
        (lambda: saved(book_of(("external_id", "name", "name"), ("x:1", "a", "b"))), "same name"),
        (lambda: saved(book_of(*FORMULA)), "A formula in row 2 has no saved result"),
        (lambda: saved(book_of(HEADER, ("x:1", "#N/A"))), "has no result but #N/A"),
        (lambda: saved(book_of((*HEADER, *map(str, range(100))))), "more than 100 columns"),
        (lambda: saved(book_of(HEADER, *[(f"x:{n}", "a") for n in range(10_001)])), "more than 10,000 rows"),
        (shared_text, "characters: split it"),
        (lambda: far_away(10**9), "more than 100,000 lines"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_a_workbook_that_cannot_be_imported_says_why(make, says):
    with pytest.raises(Invalid, match=re.escape(says)):
        parse_xlsx(make())


def test_a_zip_that_is_damaged_anywhere_is_read_or_refused():
    whole = saved(book_of(*ROWS))
    for place in range(0, len(whole), 37):
        data = bytearray(whole)
        data[place] ^= 0xFF
        try:
            parse_xlsx(bytes(data))
        except Invalid:
            continue


def test_the_saved_result_of_a_formula_is_read():
    data = edited(
        saved(book_of(*FORMULA)),
        "xl/worksheets/sheet1.xml",
        lambda xml: re.sub(
            rb'<c r="B2"[^>]*>.*?</c>',
            b'<c r="B2" t="str"><f>"Rain"&amp;"?"</f><v>Rain?</v></c>',
            xml,
        ),
    )
    assert rows_of(data) == [(2, {"external_id": "x:1", "name": "Rain?"})]


@pytest.mark.parametrize("mark", [";", "\t"])
def test_csv_with_semicolons_or_tabs_is_read(mark):
    data = f"external_id{mark}name\r\nx:1{mark}Rain, or snow?\r\n".encode()
    assert parse_file("a.csv", data).rows == [(2, {"external_id": "x:1", "name": "Rain, or snow?"})]
