"""Bringing in many markets at once."""

import csv
import json
import re

import pytest
from django.core.management import CommandError, call_command

from markets.domain.errors import Invalid
from markets.management.commands.load_sample import SAMPLE
from markets.models import Event, Market, Outcome
from markets.services import importing
from markets.services.importing import ImportRefused, parse_csv, parse_json
from tests.support.clock import NOW
from tests.support.real import REAL
from tests.support.threads import together


def run(data, parse=parse_csv, **options):
    return importing.import_markets(table=parse(data), actor=None, now=NOW, **options)


def test_a_row_becomes_a_market(world):
    run(
        b"external_id,name,description,category,outcomes,probability,open_at,close_at,source_url\n"
        b'x:1,Who wins?,"Line 1\n<b>Line 2</b> ",Sport,Ann|Ben|Cy,0.2195144969676927,2026-01-01,2027-01-31T12:00:00+02:00,'
        b"https://example.org/1\n"
    )
    market = Market.objects.get()
    assert (market.external_id, market.status, market.category.name) == ("x:1", "active", "Sport")
    assert market.description == "Line 1\n<b>Line 2</b> "
    assert [(o.label, o.probability) for o in market.outcomes.all()] == [
        ("Ann", 219_514),
        ("Ben", 390_243),
        ("Cy", 390_243),
    ]
    assert (market.open_at.isoformat(), market.close_at.isoformat()) == (
        "2026-01-01T00:00:00+00:00",
        "2027-01-31T10:00:00+00:00",
    )


def test_times_decide_the_state_in_which_a_market_arrives(world):
    rows = b"external_id,name,open_at,close_at\nx:1,Past?,,2026-03-01T12:00:00Z\nx:2,Soon?,2026-04-01,\nx:3,Now?,2026-01-01,2027-01-01\n"
    run(rows)
    assert dict(Market.objects.values_list("name", "status")) == {
        "Past?": "closed",
        "Soon?": "scheduled",
        "Now?": "active",
    }


def test_a_second_import_changes_nothing(world):
    rows = b"external_id,name\nx:1,Rain?\nx:2,Snow?\n"
    assert (run(rows).created, run(rows).created, run(rows).existing) == (2, 0, 2)
    assert Event.objects.count() == 2


def test_a_dry_run_checks_and_changes_nothing(world):
    assert run(b"external_id,name\nx:1,Rain?\n", dry_run=True).created == 1
    assert Market.objects.count() == Event.objects.count() == 0


def test_one_wrong_row_stops_all_and_every_wrong_row_is_named(world):
    with pytest.raises(ImportRefused) as refusal:
        run(
            b"external_id,name,probability,close_at,outcomes\nx:1,Rain?,0.5,,\nx:2,,0.5,,\nx:3,Snow?,NaN,,\nx:4,Fog?,,soon,\n"
            b"x:1,Again?,,,\nx:5,One?,,,Only\nx:6,Two?,,,A|a\n,Nameless?,,,\n"
        )
    assert [(error.row, error.field) for error in refusal.value.errors] == [
        (3, "name"), (4, "probability"), (5, "close_at"), (6, "external_id"), (7, "outcomes"), (8, "outcomes"), (9, "external_id")
    ]  # fmt: skip
    assert Market.objects.count() == Outcome.objects.count() == Event.objects.count() == 0


def test_a_byte_order_mark_is_no_part_of_the_first_column(world):
    assert run(b"\xef\xbb\xbfexternal_id,name\r\nx:1,Rain?\r\n").created == 1


@pytest.mark.parametrize(
    ("data", "error", "says"),
    [
        (b"external_id,name\nx:1,Rain?\nx:2,Sm\xf8rrebr\xf8d?\n", Invalid, "Line 3 is not UTF-8"),
        ("external_id,name\nx:1,Rain?\n".encode("utf-16"), Invalid, "Line 1 is not UTF-8"),
        (b"name,probability\nRain?,0.5\n", Invalid, "lacks external_id"),
        (b"", Invalid, "lacks external_id and name"),
        (b"external_id,name,name\nx:1,a,b\n", Invalid, "same name"),
        (b"external_id,name\nx:1\n", ImportRefused, "1 row"),
        (b"external_id,name\nx:1,Rain?,extra\n", ImportRefused, "1 row"),
        (b'external_id,name\nx:1,"Rain?\n', ImportRefused, "1 row"),
        (b"external_id,name\nx:1," + b"x" * 1_000_000 + b"\n", ImportRefused, "1 row"),
    ],
)
def test_a_file_that_cannot_be_read_says_why(world, data, error, says):
    with pytest.raises(error, match=re.escape(says)):
        run(data)
    assert Market.objects.count() == 0


def test_row_numbers_are_those_of_a_spreadsheet(world):
    with pytest.raises(ImportRefused) as refusal:
        run(b'external_id,name\n\nx:1,"Rain\nor snow?"\n\nx:2\nx:3,a,b\n')
    assert [error.row for error in refusal.value.errors] == [5, 6]
    with pytest.raises(ImportRefused) as refusal:
        run(b'external_id,name\n\nx:1,"Rain\nor snow?"\n\nx:2,\n')
    assert [error.row for error in refusal.value.errors] == [5]


@pytest.mark.parametrize(
    "row",
    [
        {"outcomes": []}, {"outcomes": 0}, {"name": 1e400}, {"source_url": "http://a.org/\0"}, {"close_at": "9999-12-31"},
        {"probability": 0.5, "outcomes": [{"label": "A", "probability": 0.1}, {"label": "B"}]},
    ],
)  # fmt: skip
def test_a_json_row_that_makes_no_sense_is_refused(world, row):
    with pytest.raises(ImportRefused):
        run(
            json.dumps([{"external_id": "x:1", "name": "Rain?", **row}])
            .replace("Infinity", "1e400")
            .encode(),
            parse=parse_json,
        )
    assert Market.objects.count() == 0


def test_json_may_ask_for_a_dry_run(world):
    rows = json.dumps({"rows": [{"external_id": "x:1", "name": "Rain?"}], "dry_run": True}).encode()
    assert run(rows, parse=parse_json).dry_run
    assert Market.objects.count() == 0


def test_columns_that_mean_nothing_are_named_fit_to_print(world):
    rows = json.dumps(
        [{"external_id": "x:1", "name": "Rain?", "\x1b[31m": 1, "colour": 2}]
    ).encode()
    assert run(rows, parse=parse_json).ignored_columns == ["'\\x1b[31m'", "colour"]


def test_a_million_characters_in_a_cell_name_the_row(world):
    with pytest.raises(ImportRefused) as refusal:
        run(b"external_id,name\nx:1,Rain?\nx:2," + b"x" * 1_000_000 + b"\n")
    assert (refusal.value.errors[0].row, "131,072" in refusal.value.errors[0].message) == (3, True)


@pytest.mark.parametrize(
    "data",
    [
        b"{",
        b"7",
        b'["x"]',
        b'{"rows": 1}',
        b'{"rows": [], "dryrun": true}',
        b'{"rows": [], "dry_run": 1}',
        b'[{"a": NaN}]',
        b'[{"\\ud800": 1}]',
        b"[" * 100_000,
        b"\xff",
    ],
)
def test_json_that_is_no_table_says_so(world, data):
    with pytest.raises(Invalid):
        run(data, parse=parse_json)


@pytest.mark.parametrize("value", [[], {}, True, [1], [None], {"label": 1}])
def test_json_of_the_wrong_types_is_refused(world, value):
    for column in (
        "external_id",
        "name",
        "category",
        "outcomes",
        "tags",
        "probability",
        "close_at",
    ):
        if column in {"outcomes", "tags"} and value == []:
            continue
        with pytest.raises(ImportRefused):
            run(
                json.dumps([{"external_id": "x:1", "name": "Rain?", column: value}]).encode(),
                parse=parse_json,
            )


def test_two_imports_at_the_same_time_create_each_market_once(world):
    rows = "external_id,name\n" + "".join(f"x:{i},Market {i}?\n" for i in range(20))
    results = together(3, lambda _: run(rows.encode()))
    assert sorted(result.created for result in results) == [0, 0, 20]


def test_the_command_tells_of_every_wrong_row(world, tmp_path, capsys):
    file = tmp_path / "markets.csv"
    file.write_text("external_id,name\nx:1,Rain?\nx:2,\n")
    with pytest.raises(CommandError, match="Nothing was imported"):
        call_command("import_markets", str(file))
    assert "row 3, name: This must not be empty." in capsys.readouterr().err
    with pytest.raises(CommandError, match="Cannot read"):
        call_command("import_markets", str(tmp_path / "missing.csv"))


def test_the_sample_has_every_status_and_loads_once(world, capsys):
    call_command("load_sample")
    call_command("load_sample")
    assert "0 sample markets loaded, 42 already there" in capsys.readouterr().out
    assert Market.objects.count() == len(json.loads(SAMPLE.read_text())) >= 30
    assert set(Market.objects.values_list("status", flat=True)) == {
        "draft", "scheduled", "active", "paused", "closed", "resolved", "cancelled"
    }  # fmt: skip
    sizes = {market.outcomes.count() for market in Market.objects.all()}
    assert (min(sizes), max(sizes)) == (2, 6)


@pytest.mark.skipif(not REAL.exists(), reason="the real questions are not beside the project")
def test_the_real_questions_import_twice_and_keep_their_text(world, tmp_path):
    for _ in range(2):
        call_command("import_markets", str(REAL))
    assert Market.objects.count() == 250
    with REAL.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            market = Market.objects.get(external_id=row["external_id"])
            assert market.description == row["description"]
            assert market.name == " ".join(row["name"].split())
            assert abs(market.outcomes.first().probability - float(row["probability"]) * 1e6) <= 1
