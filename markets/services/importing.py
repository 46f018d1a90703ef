"""Bringing in many markets at once: every row or none, and never the same row twice.

A row is a mapping with the columns `external_id` (unique at its source), `name`, and any of `description`,
`resolution_criteria`, `category`, `tags` and `outcomes` (with `|` between), `probability` (of the first outcome, 0 to 1),
`liquidity`, `open_at`, `close_at` (ISO 8601) and `source_url`.
"""

import csv
import io
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from math import inf
from typing import Any, Final

from django.db import connection, transaction

from markets.domain.amounts import MICRO, to_micro
from markets.domain.errors import Invalid, Refused
from markets.domain.text import DEFAULT_OUTCOMES, OutcomeDraft
from markets.models import Market, Status
from markets.services.actor import Actor
from markets.services.catalogue import MarketFacts, add_market

REQUIRED: Final = ("external_id", "name")
OPTIONAL: Final = (
    "description", "resolution_criteria", "category", "tags", "outcomes", "probability", "liquidity", "open_at", "close_at",
    "source_url",
)  # fmt: skip
MOST_ROWS: Final = 10_000
MOST_ERRORS: Final = 100  # told of one file


@dataclass(frozen=True)
class RowError:
    """What is wrong with a row. `row` counts as a spreadsheet does: in a CSV file the header is row 1."""

    row: int
    field: str
    message: str


class ImportRefused(Refused):
    """Rows have errors, so nothing was imported."""

    code = "validation_error"

    def __init__(self, errors: list[RowError]) -> None:
        super().__init__(f"Nothing was imported: {len(errors)} row(s) have errors.")
        self.errors = errors


@dataclass
class Imported:
    """What an import did, or with `dry_run` would have done."""

    dry_run: bool
    created: int = 0
    existing: int = 0
    ignored_columns: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Table:
    """Rows to import, each with its number."""

    rows: Sequence[tuple[int, Mapping[str, Any]]]
    dry_run: bool = False  # a JSON document may ask for it


def parse_csv(data: bytes) -> Table:
    """The rows of a CSV file in UTF-8, with or without a byte order mark. Raises Invalid or ImportRefused."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise Invalid(
            file=f"Line {line} is not UTF-8. Save the file as UTF-8 and try again."
        ) from None
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    rows: list[tuple[int, Mapping[str, Any]]] = []
    errors: list[RowError] = []
    number = 1
    try:
        header = next(reader, [])
        missing = [name for name in REQUIRED if name not in header]
        if missing:
            raise Invalid(
                file=f"The header lacks {' and '.join(missing)}. Known columns: {', '.join(REQUIRED + OPTIONAL)}."
            )
        if len(set(header)) < len(header):
            raise Invalid(file="Two columns have the same name.")
        for number, cells in enumerate(reader, 2):
            if cells and len(cells) != len(header):
                errors.append(
                    RowError(
                        number, "row", f"It has {len(cells)} cells, the header has {len(header)}."
                    )
                )
            elif cells:
                rows.append((number, dict(zip(header, cells, strict=True))))
    except csv.Error as error:
        why = (
            f"a cell has more than {csv.field_size_limit():,} characters"
            if "field limit" in str(error)
            else str(error)
        )
        errors.append(RowError(number + 1, "row", f"It cannot be read: {why}."))
    if errors:
        raise ImportRefused(errors[:MOST_ERRORS])
    return Table(rows)


def parse_json(data: bytes) -> Table:
    """The rows of a JSON document: an array of objects, or an object with such an array under `rows`."""
    try:
        found = json.loads(data, parse_constant=_no_number)
        json.dumps(
            found, ensure_ascii=False
        ).encode()  # no half of a surrogate pair in any key or value
    except (ValueError, RecursionError) as error:
        raise Invalid(file=f"This is not JSON: {error}.") from None
    options = found if isinstance(found, dict) else {"rows": found}
    rows, dry_run = options.get("rows"), options.get("dry_run", False)
    if set(options) - {"rows", "dry_run"} or not isinstance(dry_run, bool):
        raise Invalid(file="Beside rows there may only be dry_run, true or false.")
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise Invalid(file="Give an array of objects, one for each market.")
    return Table(list(enumerate(rows, 1)), dry_run)


def _no_number(name: str) -> None:
    raise ValueError(f"{name} is not a number in JSON")


def import_markets(
    *,
    table: Table,
    actor: Actor,
    now: datetime,
    dry_run: bool = False,
    progress: Callable[[int], None] = lambda _rows: None,
) -> Imported:
    """Create the markets that are not there yet, in one transaction. A market already imported is left as it is.

    A row whose close date has passed arrives closed, one that opens later scheduled, any other active. `progress` hears of
    each finished row. Raises ImportRefused with all that is wrong, or Invalid when the table itself is.
    """
    if len(table.rows) > MOST_ROWS:
        raise Invalid(file=f"It has {len(table.rows)} rows; import at most {MOST_ROWS} at once.")
    dry_run = dry_run or table.dry_run
    result = Imported(dry_run, ignored_columns=_ignored(table))
    errors: list[RowError] = []
    with transaction.atomic(durable=True):
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended('import', 0))")
        known = set(Market.objects.exclude(external_id=None).values_list("external_id", flat=True))
        seen: set[str] = set()
        for number, row in table.rows:
            try:
                facts = _facts(row, now)
                external_id = facts["external_id"] or ""
                if external_id in seen:
                    raise Invalid(external_id=f"{external_id!r} stands in the file twice.")
                seen.add(external_id)
                if external_id in known:
                    result.existing += 1
                else:
                    with transaction.atomic():
                        add_market(actor=actor, now=now, **facts)
                    result.created += 1
            except Invalid as error:
                errors += [
                    RowError(number, name, message) for name, message in error.fields.items()
                ]
                if len(errors) >= MOST_ERRORS:
                    break
            progress(1)
        if errors:
            raise ImportRefused(errors)
        if dry_run:
            transaction.set_rollback(True)
    return result


def _ignored(table: Table) -> list[str]:
    """The first twenty columns that mean nothing here, fit to be printed."""
    columns = {str(column) for _, row in table.rows for column in row} - {*REQUIRED, *OPTIONAL}
    return [
        column[:80] if column.isprintable() else ascii(column[:80])
        for column in sorted(columns)[:20]
    ]


def _facts(row: Mapping[str, Any], now: datetime) -> MarketFacts:
    """Return what a row says of its market. Raise Invalid."""
    text = {
        name: _text(row, name)
        for name in (*REQUIRED, *OPTIONAL)
        if name not in {"outcomes", "tags"}
    }
    external_id = text["external_id"].strip()
    if not external_id or len(external_id) > 200 or not external_id.isprintable():
        raise Invalid(
            external_id="Give each row an id of 1 to 200 visible characters, unique at its source."
        )
    open_at, close_at = _time("open_at", text["open_at"]), _time("close_at", text["close_at"])
    facts: MarketFacts = {
        "external_id": external_id,
        "name": text["name"],
        "description": text["description"],
        "resolution_criteria": text["resolution_criteria"],
        "category": text["category"] or None,
        "tags": _labels(row, "tags"),
        "outcomes": _outcomes(_labels(row, "outcomes"), text["probability"], row.get("outcomes")),
        "open_at": open_at,
        "close_at": close_at,
        "source_url": text["source_url"],
        "status": _status(open_at, close_at, now),
        "imported": True,
    }
    if text["liquidity"]:
        try:
            facts["liquidity"] = to_micro(text["liquidity"])
        except ValueError as error:
            raise Invalid(liquidity=str(error)) from None
    return facts


def _text(row: Mapping[str, Any], name: str) -> str:
    value = row.get(name)
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, str | int | float) or value in (inf, -inf):
        raise Invalid(**{name: "Give a text."})
    return str(value)


def _labels(row: Mapping[str, Any], name: str) -> list[str]:
    """`Yes|No` or `["Yes", "No"]`, or outcomes as objects with a `label`."""
    value = "" if row.get(name) is None else row[name]
    if isinstance(value, str):
        return [word.strip() for word in value.split("|")] if value else []
    words = (
        [item.get("label") if isinstance(item, dict) else item for item in value]
        if isinstance(value, list)
        else [None]
    )
    if not all(isinstance(word, str) for word in words):
        raise Invalid(**{name: "Give texts with | between them, or an array of texts."})
    return [str(word) for word in words]


def _outcomes(labels: list[str], probability: str, raw: Any) -> Sequence[OutcomeDraft]:
    drafts = (
        [OutcomeDraft(label) for label in labels]
        if raw not in (None, "")
        else list(DEFAULT_OUTCOMES)
    )
    if probability and drafts:
        if isinstance(raw, list) and any(
            isinstance(item, dict) and "probability" in item for item in raw
        ):
            raise Invalid(probability="Give the probability here or at the outcomes, not both.")
        drafts[0] = OutcomeDraft(drafts[0].label, _probability("probability", probability))
    elif isinstance(raw, list):
        given = [item.get("probability") if isinstance(item, dict) else None for item in raw]
        drafts = [
            OutcomeDraft(d.label, None if p is None else _probability("outcomes", str(p)))
            for d, p in zip(drafts, given, strict=True)
        ]
    return drafts


def _probability(name: str, text: str) -> int:
    """Millionths of a number from 0 to 1, rounded (sources give up to 17 places)."""
    try:
        number = Decimal(text)
    except InvalidOperation:
        number = Decimal(-1)
    if not number.is_finite() or not 0 < number < 1:
        raise Invalid(**{name: f"{text[:40]!r} is not a number between 0 and 1."})
    return int((number * MICRO).to_integral_value())


def _time(name: str, text: str) -> datetime | None:
    """An ISO 8601 date or date-time; UTC where it names no zone."""
    if not text.strip():
        return None
    try:
        at = datetime.fromisoformat(text.strip())
        return at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise Invalid(
            **{
                name: f"{text[:40]!r} is not an ISO 8601 date, such as 2027-01-31 or 2027-01-31T12:00Z."
            }
        ) from None


def _status(open_at: datetime | None, close_at: datetime | None, now: datetime) -> str:
    if close_at is not None and close_at <= now:
        return Status.CLOSED
    return Status.SCHEDULED if open_at is not None and open_at > now else Status.ACTIVE
