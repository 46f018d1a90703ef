"""The page "Import markets": a file, what each of its rows would do, and one confirmation.

Between the steps the rows travel in the page, packed and signed: nothing is kept on the server.
The rules are those of `services/importing.py`: all rows or none.
"""

import csv
import io
import json
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

from django import forms
from django.core import signing
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.text import Truncator
from openpyxl import Workbook
from unfold.widgets import UnfoldAdminExpandableTextareaWidget as TextArea
from unfold.widgets import UnfoldAdminFileFieldWidget as FileInput
from unfold.widgets import UnfoldAdminTextInputWidget as TextInput
from unfold.widgets import UnfoldBooleanSwitchWidget

from markets.admin.pages import ConfirmedPage
from markets.domain.errors import Invalid
from markets.domain.permissions import Permission
from markets.services import importing
from markets.services.importing import COLUMNS, Checked, ImportRefused, RowError, Table
from markets.services.workbooks import parse_file

MOST_BYTES: Final = 4 * 2**20  # of a file; a proxy in front lets no more through
MOST_ROWS: Final = 2_000  # in one request: writing takes 5 to 20 ms a row
MOST_PACKED: Final = 3 * 2**20  # bytes of a form that carries the rows; Django refuses 4 MB
MOST_SHOWN: Final = 200  # rows in the table
MOST_MENDED: Final = 50  # broken rows with inputs: Django refuses 1,000 inputs
MOST_TYPED: Final = 300_000  # characters in those inputs
_SALT: Final = "import"
_LONG: Final = {"description", "resolution_criteria"}

# column → what it holds, and two examples
GUIDE: Final[dict[str, tuple[str, str, str]]] = {
    "external_id": (
        "Needed. The question's id where it comes from. A row with a known id changes nothing.",
        "poll:14", "poll:15",
    ),
    "name": ("Needed. The question.", "Will it rain in June?", "Who wins the final?"),
    "description": ("Background, as Markdown.", "Measured at the **station**.", ""),
    "resolution_criteria": ("What decides it.", "The report of the station.", "The referee."),
    "category": ("One name; created when new.", "Weather", "Sport"),
    "tags": ("Names with | between them; created when new.", "rain|summer", "football"),
    "outcomes": ("Labels with | between them. Empty: Yes|No.", "Yes|No", "Reds|Blues|Draw"),
    "probability": ("Of the first outcome, between 0 and 1.", "0.35", "0.4"),
    "liquidity": ("In shares; 100 when empty.", "100", "250"),
    "open_at": (
        "A date and time, in UTC unless it names a zone. One in the future: a scheduled market.",
        "", "2030-05-01T08:00Z",
    ),
    "close_at": (
        "A date and time. One in the past: a closed market.",
        "2030-07-01", "2030-06-30T20:00+02:00",
    ),
    "source_url": ("Where the question comes from.", "https://example.org/14", ""),
}  # fmt: skip


@dataclass(frozen=True)
class Kept:
    """The rows of a file between the steps, and its columns that mean nothing."""

    rows: list[tuple[int, dict[str, Any]]]
    ignored: list[str]

    def without(self, numbers: Collection[int]) -> "Kept":
        return Kept([row for row in self.rows if row[0] not in numbers], self.ignored)

    def pack(self) -> str:
        """Raise Invalid."""
        packed = signing.dumps(asdict(self), salt=_SALT, compress=True)
        if len(packed) > MOST_PACKED:
            raise Invalid(file="The texts of this file are too long for this page: split the file.")
        return packed


def unpack(packed: str) -> Kept:
    """Raise Invalid for what this site has not packed."""
    try:
        return Kept(**signing.loads(packed, salt=_SALT))
    except signing.BadSignature:
        raise Invalid(file="This page is out of date: choose the file again.") from None


def read(file: Any) -> Kept:
    """Read an uploaded file. Raise Invalid for the file, ImportRefused for rows."""
    if file.size > MOST_BYTES:
        size = f"{file.size / 2**20:.1f}"
        raise Invalid(file=f"The file has {size} MB; at most 4 MB are allowed: split it.")
    table = parse_file(file.name, file.read())
    if len(table.rows) > MOST_ROWS:
        raise Invalid(
            file=f"The file has {len(table.rows):,} rows; this page takes {MOST_ROWS:,} at most. "
            f"Split the file, or let an operator run manage.py import_markets, "
            f"which takes {importing.MOST_ROWS:,}."
        )
    if not table.rows:
        raise Invalid(file="The file has no rows below its header.")
    known = [(number, {name: row[name] for name in COLUMNS if name in row})
             for number, row in table.rows]  # fmt: skip
    return Kept(known, importing.ignored_columns(table))


class ImportForm(forms.Form):
    file = forms.FileField(
        required=False,
        widget=FileInput({"accept": ".csv,.xlsx,.json"}),
        help_text=f"CSV, XLSX or JSON with one market a row: at most 4 MB and {MOST_ROWS:,} rows.",
    )
    drafts = forms.BooleanField(
        label="As drafts", required=False, widget=UnfoldBooleanSwitchWidget,
        help_text="Otherwise a market is open for trading at once, unless it opens later.",
    )  # fmt: skip
    content = forms.CharField(required=False, widget=forms.HiddenInput)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if self.errors:
            return cleaned
        try:
            if cleaned["file"]:
                cleaned["kept"] = read(cleaned["file"])
            elif cleaned["content"]:
                cleaned["kept"] = unpack(cleaned["content"])
            else:
                self.add_error("file", "Choose a file.")
        except ImportRefused as refused:
            self.add_error("file", [f"Row {e.row}: {e.message}" for e in refused.errors[:20]])
        except Invalid as refusal:
            self.add_error("file", str(refusal))
        return cleaned


class RowForm(forms.Form):
    """A broken row: an input for each column, with the row's errors."""

    def __init__(self, number: int, row: Mapping[str, Any], errors: list[RowError]) -> None:
        prefix = f"row-{number}"
        texts = {f"{prefix}-{name}": as_text(row.get(name)) for name in COLUMNS}
        super().__init__(texts, prefix=prefix)
        self.title = f"Row {number}: {_short(row.get('name')) or 'without a name'}"
        broken = {error.field for error in errors}
        for name in sorted(COLUMNS, key=lambda name: name not in broken):
            many = name in _LONG or "\n" in texts[f"{prefix}-{name}"]
            self.fields[name] = forms.CharField(
                required=False, strip=False, label=name, help_text=GUIDE[name][0],
                widget=TextArea if many else TextInput,
            )  # fmt: skip
        for error in errors:
            self.add_error(error.field if error.field in self.fields else None, error.message)

    def wrong(self) -> list[forms.BoundField]:
        return [field for field in self if field.errors]

    def others(self) -> list[forms.BoundField]:
        return [field for field in self if not field.errors]


def as_text(cell: Any) -> str:
    """Return a cell as it is edited: arrays of JSON stay JSON."""
    if cell is None or isinstance(cell, str):
        return cell or ""
    return json.dumps(cell, ensure_ascii=False)


def _short(cell: Any) -> str:
    return Truncator(as_text(cell)).chars(90)


def mended(kept: Kept, typed: Mapping[str, str]) -> Kept:
    """Return the rows with what was typed into their inputs."""
    rows = []
    for number, row in kept.rows:
        values = dict(row)
        for name in COLUMNS:
            text = typed.get(f"row-{number}-{name}")
            before = as_text(row.get(name))
            if text is None or _lines(text) == _lines(before):
                continue
            values[name] = _cell(text) if isinstance(row.get(name), list | dict) else text
        rows.append((number, values))
    return Kept(rows, kept.ignored)


def _lines(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _cell(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


class ImportPage(ConfirmedPage):
    permission = Permission.IMPORT_MARKETS
    form_class = ImportForm
    title = "Import markets"
    verb = "Import"
    path = "import"
    again = "Choose another file"
    form_template = "admin/import_form.html"
    preview_template = "admin/import_preview.html"
    details_template = "admin/import_rows.html"
    kept: Kept
    drafts: bool
    checked: Checked

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if example := EXAMPLES.get(request.GET.get("example", "")):
            return example()
        return super().get(request, *args, **kwargs)

    def form_valid(self, form: Any) -> HttpResponse:
        step = self.request.POST.get("step")
        self.kept, self.drafts = form.cleaned_data["kept"], form.cleaned_data["drafts"]
        if step in {"mend", "leave"}:
            self.kept = mended(self.kept, self.request.POST)
        self._check()
        if step == "leave":
            self.kept = self.kept.without({error.row for error in self.checked.errors})
            self._check()
        return super().form_valid(form)

    def _check(self) -> None:
        table = Table(self.kept.rows, drafts=self.drafts)
        self.checked = importing.check_table(table=table, now=timezone.now())

    def basis(self) -> str:
        checked = self.checked
        return f"{len(checked.new)} {len(checked.existing)} {len(checked.errors)}"

    def preview(self, form: Any) -> dict[str, Any]:
        checked, kept = self.checked, self.kept
        form.data = {"content": kept.pack(), "drafts": "on" if self.drafts else ""}
        errors: dict[int, list[RowError]] = {}
        for error in checked.errors:
            errors.setdefault(error.row, []).append(error)
        typed = 0
        statuses = Counter(str(new["status"]) for new in checked.new.values())
        mending: list[RowForm] = []
        for number, row in kept.rows:
            size = sum(len(as_text(cell)) for cell in row.values())
            fits = len(mending) < MOST_MENDED and typed + size <= MOST_TYPED
            if number in errors and fits:
                mending.append(RowForm(number, row, errors[number]))
                typed += size
        return {
            "checked": checked,
            "ignored": kept.ignored,
            "statuses": ", ".join(f"{count} {status}" for status, count in statuses.items()),
            "broken": len(errors),
            "mending": mending,
            "table": self._table(errors),
            "total": len(kept.rows),
            "cannot": bool(errors) or not checked.new,
        }

    def _table(self, errors: dict[int, list[RowError]]) -> dict[str, Any]:
        """Return the first rows, the broken ones before the others."""
        existing = set(self.checked.existing)

        def what(number: int) -> str:
            if number in errors:
                return "Error: " + " ".join(f"{e.field}: {e.message}" for e in errors[number])
            if number in existing:
                return "There already"
            new = self.checked.new.get(number)
            return f"New, {new['status']}" if new else "Not checked yet"

        def closes(number: int) -> str:
            new = self.checked.new.get(number)
            at = new and new.get("close_at")
            return f"{at:%Y-%m-%d %H:%M}" if at else ""

        rows = sorted(self.kept.rows, key=lambda row: (row[0] not in errors, row[0]))[:MOST_SHOWN]
        texts = ("name", "category", "outcomes")
        return {
            "headers": ["Row", "What happens", "Name", "Category", "Outcomes", "Closes (UTC)"],
            "rows": [
                [
                    number,
                    what(number),
                    *(_short(row.get(name)) or "–" for name in texts),
                    closes(number) or _short(row.get("close_at")) or "–",
                ]
                for number, row in rows
            ],
        }

    def act(self, form: Any) -> str:
        table = Table(self.kept.rows, drafts=self.drafts)
        done = importing.import_markets(table=table, actor=self.request.user, now=timezone.now())
        if not done.created:
            return "Nothing was imported now: every market of the file is there already."
        existing = f"{done.existing} {'was' if done.existing == 1 else 'were'}"
        there = f"; {existing} there already" if done.existing else ""
        created = "1 market was" if done.created == 1 else f"{done.created} markets were"
        return f"{created} imported{there}."

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        guide = {
            "headers": ["Column", "What it holds", "Example"],
            "rows": [
                [name, text, first or second] for name, (text, first, second) in GUIDE.items()
            ],
        }
        return {**super().get_context_data(**kwargs), "guide": guide, "examples": EXAMPLES}


def _examples() -> list[dict[str, str]]:
    return [{name: texts[place] for name, texts in GUIDE.items()} for place in (1, 2)]


def _file(body: bytes, kind: str, content_type: str) -> HttpResponse:
    response = HttpResponse(body, content_type=content_type)
    response["Content-Disposition"] = f'attachment; filename="markets-example.{kind}"'
    return response


def _csv_example() -> HttpResponse:
    file = io.StringIO(newline="")
    writer = csv.DictWriter(file, COLUMNS)
    writer.writeheader()
    writer.writerows(_examples())
    return _file(file.getvalue().encode("utf-8-sig"), "csv", "text/csv; charset=utf-8")


def _json_example() -> HttpResponse:
    split = {"tags", "outcomes"}
    rows = [
        {name: text.split("|") if name in split else text for name, text in row.items()}
        for row in _examples()
    ]
    return _file(json.dumps(rows, indent=2).encode(), "json", "application/json")


def _xlsx_example() -> HttpResponse:
    book = Workbook()
    sheet = book.worksheets[0]
    sheet.title = "markets"
    sheet.append(COLUMNS)
    for row in _examples():
        sheet.append(list(row.values()))
    file = io.BytesIO()
    book.save(file)
    return _file(file.getvalue(), "xlsx", XLSX)


XLSX: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
EXAMPLES: Final[dict[str, Callable[[], HttpResponse]]] = {
    "csv": _csv_example,
    "xlsx": _xlsx_example,
    "json": _json_example,
}
