"""Import many markets at once: all rows or none, and no market twice.

Files are CSV (comma, semicolon or tab), JSON, or a workbook (`services/workbooks.py`).

`_PARSERS` lists the columns. `probability` is that of the first outcome.
"""

import csv
import io
import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from math import inf
from typing import Any, Final, cast

from django.db import connection, transaction

from markets.domain import limits
from markets.domain.amounts import MICRO, to_micro
from markets.domain.errors import Invalid, Refused
from markets.domain.text import DEFAULT_OUTCOMES, OutcomeDraft
from markets.infra.database import busy_when_locked
from markets.models import Market, Status
from markets.services import Actor
from markets.services.catalogue import NewMarket, add_market, check_market

REQUIRED_COLUMNS: Final = ("external_id", "name")
MOST_ROWS: Final = 10_000
MOST_ERRORS: Final = 100  # reported of one file

Row = Mapping[str, Any]


@dataclass(frozen=True)
class RowError:
    """`row` counts as a spreadsheet does: the header of a CSV file is row 1."""

    row: int
    field: str
    message: str


class ImportRefused(Refused):
    code = "validation_error"

    def __init__(self, errors: list[RowError]) -> None:
        super().__init__(f"Nothing was imported: {len(errors)} row(s) have errors.")
        self.errors = errors


@dataclass
class Imported:
    """What an import did, or with `dry_run` would do."""

    dry_run: bool
    created: int = 0
    existing: int = 0
    ignored_columns: list[str] = field(default_factory=list)


@dataclass
class Checked:
    """What an import would do with each row, by the row's number."""

    new: dict[int, NewMarket] = field(default_factory=dict)
    existing: list[int] = field(default_factory=list)  # imported before; they stay unchanged
    errors: list[RowError] = field(default_factory=list)
    complete: bool = True  # no row is left out because there were MOST_ERRORS before it


@dataclass(frozen=True)
class Table:
    """Rows, each with its number."""

    rows: Sequence[tuple[int, Row]]
    dry_run: bool = False  # a JSON document may ask for it
    drafts: bool = False  # every row becomes a draft


def parse_csv(data: bytes) -> Table:
    """Read UTF-8, byte order mark or not. Raise Invalid for the file, ImportRefused for rows."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise Invalid(file=f"Line {line} is not UTF-8: save the file as UTF-8.") from None
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text), strict=True)
    rows: list[tuple[int, Row]] = []
    errors: list[RowError] = []
    number = 1
    try:
        header = next(reader, [])
        check_header(header)
        for number, cells in enumerate(reader, 2):
            if cells and len(cells) != len(header):
                message = f"The row has {len(cells)} cells, the header has {len(header)}."
                errors.append(RowError(number, "row", message))
            elif cells:
                rows.append((number, dict(zip(header, cells, strict=True))))
    except csv.Error as error:
        problem = str(error)
        if "field limit" in problem:
            problem = f"a cell has more than {csv.field_size_limit():,} characters"
        errors.append(RowError(number + 1, "row", f"The row cannot be read: {problem}."))
    if errors:
        raise ImportRefused(errors[:MOST_ERRORS])
    return Table(rows)


def _delimiter(text: str) -> str:
    """Return what stands between the columns of the header: spreadsheets save ; and tabs, too."""
    header = text.partition("\n")[0]
    return "," if "," in header else next((mark for mark in ";\t" if mark in header), ",")


def check_header(header: Sequence[str]) -> None:
    """Raise Invalid."""
    if missing := " and ".join(name for name in REQUIRED_COLUMNS if name not in header):
        raise Invalid(file=f"The header lacks {missing}. Known columns: {', '.join(COLUMNS)}.")
    if len(set(header)) < len(header):
        raise Invalid(file="Two columns have the same name.")


def parse_json(data: bytes) -> Table:
    """Return the rows of an array of objects, alone or under `rows`. Raise Invalid."""
    try:
        document = json.loads(data, parse_constant=_refuse_constant)
        json.dumps(document, ensure_ascii=False).encode()  # fails for half of a surrogate pair
    except (ValueError, RecursionError) as error:
        raise Invalid(file=f"This is not JSON: {error}.") from None
    if not isinstance(document, dict):
        document = {"rows": document}
    rows, dry_run = document.get("rows"), document.get("dry_run", False)
    if set(document) - {"rows", "dry_run"} or not isinstance(dry_run, bool):
        raise Invalid(file="Only dry_run, true or false, may stand beside rows.")
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise Invalid(file="Give an array of objects, one for each market.")
    return Table(list(enumerate(rows, 1)), dry_run)


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not a number in JSON")


def import_markets(
    *,
    table: Table,
    actor: Actor,
    now: datetime,
    dry_run: bool = False,
    progress: Callable[[int], None] = lambda _rows: None,
) -> Imported:
    """Create the markets that do not exist yet, in one transaction; existing ones stay unchanged.

    A row whose closing time has passed becomes a closed market, one that opens later a scheduled
    one, any other an active one; all of them drafts, if the table says so. `progress` is called
    with the number of rows that are done. Raise Invalid for the table, ImportRefused for its rows,
    Busy while another import runs.
    """
    dry_run = dry_run or table.dry_run
    with busy_when_locked(), transaction.atomic(durable=True):
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended('import', 0))")
        checked = check_table(table=table, now=now)
        if checked.errors:
            raise ImportRefused(checked.errors)
        progress(len(checked.existing))
        for number, fields in checked.new.items():
            if not dry_run:
                _add(number, fields, actor, now)
            progress(1)
    return Imported(dry_run, len(checked.new), len(checked.existing), ignored_columns(table))


def check_table(*, table: Table, now: datetime) -> Checked:
    """Return what an import would do with each row, and write nothing. Raise Invalid."""
    if len(table.rows) > MOST_ROWS:
        raise Invalid(file=f"The file has {len(table.rows)} rows; at most {MOST_ROWS} are allowed.")
    checked, seen = Checked(), set[str]()
    known = _known(table)
    for number, row in table.rows:
        try:
            fields = _new_market(row, now)
            if table.drafts:
                fields["status"] = Status.DRAFT
            external_id = cast(str, fields["external_id"])
            if external_id in seen:
                raise Invalid(external_id=f"{external_id!r} is in the file twice.")
            seen.add(external_id)
            if external_id in known:
                checked.existing.append(number)
            else:
                check_market(now=now, **fields)
                checked.new[number] = fields
        except Invalid as error:
            checked.errors += [RowError(number, *item) for item in error.fields.items()]
            if len(checked.errors) >= MOST_ERRORS:
                checked.complete = False
                break
    return checked


def _known(table: Table) -> set[str | None]:
    """Return those external ids of the table that markets have."""
    ids = []
    for _, row in table.rows:
        with suppress(ValueError):
            ids.append(_external_id(row.get("external_id")))
    known = Market.objects.filter(external_id__in=ids).order_by()
    return set(known.values_list("external_id", flat=True))


def _add(number: int, fields: NewMarket, actor: Actor, now: datetime) -> None:
    try:
        add_market(actor=actor, now=now, **fields)
    except Invalid as error:  # `check_market` let it through
        raise ImportRefused([RowError(number, *item) for item in error.fields.items()]) from None


def ignored_columns(table: Table) -> list[str]:
    """Return the first 20 unknown columns, printable and shortened."""
    unknown = {str(column) for _, row in table.rows for column in row} - set(_PARSERS)
    return [name[:80] if name.isprintable() else ascii(name[:80]) for name in sorted(unknown)[:20]]


def _new_market(row: Row, now: datetime) -> NewMarket:
    """Raise Invalid."""
    cells: dict[str, Any] = {}
    for column, parse in _PARSERS.items():
        try:
            cells[column] = parse(row.get(column))
        except ValueError as error:
            raise Invalid(**{column: str(error)}) from None
    outcomes, probability = cells["outcomes"], cells.pop("probability")
    if outcomes and probability is not None:
        if any("probability" in item for item in _objects(row.get("outcomes"))):
            raise Invalid(probability="Give the probability here or at the outcomes, not both.")
        outcomes[0] = OutcomeDraft(outcomes[0].label, probability)
    status = Status.ACTIVE
    if cells["close_at"] is not None and cells["close_at"] <= now:
        status = Status.CLOSED
    elif cells["open_at"] is not None and cells["open_at"] > now:
        status = Status.SCHEDULED
    return cast(NewMarket, {**cells, "status": status, "imported": True})


def _text(cell: Any) -> str:
    if cell is None:
        return ""
    if isinstance(cell, bool) or not isinstance(cell, str | int | float) or cell in (inf, -inf):
        raise ValueError("Give a text.")
    return str(cell)


def _external_id(cell: Any) -> str:
    external_id = _text(cell).strip()
    if not 1 <= len(external_id) <= 200 or not external_id.isprintable():
        raise ValueError("Give an id of 1 to 200 visible characters, unique at its source.")
    return external_id


def _labels(cell: Any) -> list[str]:
    """Read `Yes|No`, `["Yes", "No"]` or `[{"label": "Yes"}, {"label": "No"}]`."""
    if cell is None or cell == "":
        return []
    if isinstance(cell, str):
        return [label.strip() for label in cell.split("|")]
    items = cell if isinstance(cell, list) else [None]
    labels: list[Any] = [item.get("label") if isinstance(item, dict) else item for item in items]
    if not all(isinstance(label, str) for label in labels):
        raise ValueError("Give texts with | between them, or an array of texts.")
    return labels


def _outcomes(cell: Any) -> list[OutcomeDraft]:
    """Return Yes and No for an empty cell."""
    if cell is None or cell == "":
        return list(DEFAULT_OUTCOMES)
    drafts = [OutcomeDraft(label) for label in _labels(cell)]
    for place, item in enumerate(_objects(cell)):
        if (given := item.get("probability")) is not None:
            drafts[place] = OutcomeDraft(drafts[place].label, _millionths(str(given)))
    return drafts


def _objects(cell: Any) -> list[dict[str, Any]]:
    """Return a JSON array with an empty object for each item that is none."""
    items = cell if isinstance(cell, list) else []
    return [item if isinstance(item, dict) else {} for item in items]


def _probability(cell: Any) -> int | None:
    return _millionths(text) if (text := _text(cell)) else None


def _millionths(text: str) -> int:
    """Round a number between 0 and 1 to millionths: sources give up to 17 places."""
    try:
        number = Decimal(text)
    except InvalidOperation:
        number = Decimal(-1)
    if not number.is_finite() or not 0 < number < 1:
        raise ValueError(f"{text[:40]!r} is not a number between 0 and 1.")
    return int((number * MICRO).to_integral_value())


def _liquidity(cell: Any) -> int:
    return to_micro(text) if (text := _text(cell)) else limits.DEFAULT_LIQUIDITY


def _time(cell: Any) -> datetime | None:
    """Read an ISO 8601 date or date-time, in UTC unless it names a zone."""
    text = _text(cell).strip()
    if not text:
        return None
    try:
        at = datetime.fromisoformat(text)
        return at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        example = "2027-01-31 or 2027-01-31T12:00Z"
        raise ValueError(f"{text[:40]!r} is not an ISO 8601 date such as {example}.") from None


# column → the value in a cell, or ValueError
_PARSERS: Final[dict[str, Callable[[Any], Any]]] = {
    "external_id": _external_id,
    "name": _text,
    "description": _text,
    "resolution_criteria": _text,
    "category": _text,
    "tags": _labels,
    "outcomes": _outcomes,
    "probability": _probability,
    "liquidity": _liquidity,
    "open_at": _time,
    "close_at": _time,
    "source_url": _text,
}
COLUMNS: Final = tuple(_PARSERS)
