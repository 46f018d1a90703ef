"""The page "Import markets", sent by hand: what it says of each file, and that nothing happens twice."""

import csv
import html
import io
import json
import re

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from openpyxl import load_workbook

from markets.admin import importing as page_of_import
from markets.models import Event, Market
from markets.services.importing import COLUMNS
from tests.support.factory import make_market
from tests.support.forms import STEPS, fields_of

PATH = "/admin/markets/market/import/"
GOOD = b"external_id,name\nx:1,Rain?\nx:2,Snow?\n"
MIXED = (
    b"external_id,name,probability,colour\nx:1,Rain?,0.5,red\nx:2,Snow?,half,red\nx:3,,0.5,red\n"
)


@pytest.fixture
def staff(alice):
    client = Client()
    client.force_login(alice)
    return client


def words(page):
    return html.unescape(re.sub(r"<[^>]+>|\s+", " ", page.content.decode()))


def sent(staff, data, name="a.csv"):
    return staff.post(PATH, {"step": "preview", "file": SimpleUploadedFile(name, data)})


def kept(page):
    """What a browser would send back: the hidden fields, and the inputs of broken rows."""
    found = {}
    for tag in re.findall(r"<input[^>]*>", page.content.decode()):
        facts = {name: html.unescape(value) for name, value in re.findall(r'(\w+)="([^"]*)"', tag)}
        name = facts.get("name", "")
        if name in {"content", "basis"} or name.startswith("row-"):
            found[name] = facts.get("value", "")
    return found


def then(staff, page, step, **typed):
    return staff.post(PATH, {**kept(page), "step": step, **typed})


def totals(page):
    found = re.search(
        r"(\d+) will be created, (\d+) (?:is|are) there already .*?, (\d+) ha", words(page)
    )
    return tuple(map(int, found.groups()))


def test_nothing_is_written_until_it_is_confirmed_and_then_once(staff, alice):
    make_market("Was there", external_id="x:2")
    page = sent(staff, GOOD)
    assert totals(page) == (1, 1, 0)
    assert "New, active" in words(page)
    assert "There already" in words(page)
    assert Market.objects.count() == 1
    done = then(staff, page, "confirm")
    assert done.headers["Location"] == "/admin/markets/market/"
    assert "1 market was imported; 1 was there already." in words(
        staff.get("/admin/markets/market/")
    )
    assert Market.objects.get(external_id="x:1").created_by == alice
    assert Market.objects.get(external_id="x:2").name == "Was there"

    again = then(staff, page, "confirm")  # a double click, or Back
    assert again.status_code == 200
    assert totals(again) == (0, 2, 0)
    assert "There is nothing to import." in words(again)
    assert Event.objects.filter(actor=alice).count() == 1


def test_broken_rows_are_mended_in_place(staff):
    page = sent(staff, MIXED)
    assert totals(page) == (1, 0, 2)
    assert "These columns mean nothing here and are not used: colour." in words(page)
    assert "'half' is not a number between 0 and 1." in words(page)
    assert 'value="confirm"' not in page.content.decode()
    page = then(staff, page, "mend", **{"row-3-probability": "0.5"})
    assert totals(page) == (2, 0, 1)
    page = then(staff, page, "mend", **{"row-4-name": "Fog?", "row-4-description": "One\r\nTwo"})
    assert totals(page) == (3, 0, 0)
    assert "colour" in words(page)
    then(staff, page, "confirm")
    assert list(Market.objects.order_by("external_id").values_list("name", "description")) == [
        ("Rain?", ""), ("Snow?", ""), ("Fog?", "One\r\nTwo"),
    ]  # fmt: skip


def test_markets_are_imported_as_drafts(staff):
    file = SimpleUploadedFile("x.csv", GOOD)
    page = staff.post(PATH, {"step": "preview", "file": file, "drafts": "on"})
    assert "New, draft" in words(page)
    then(staff, page, "confirm", **fields_of(page, STEPS))
    assert set(Market.objects.values_list("status", flat=True)) == {"draft"}


def test_broken_rows_are_left_out(staff):
    page = then(staff, sent(staff, MIXED), "leave")
    assert totals(page) == (1, 0, 0)
    then(staff, page, "confirm")
    assert Market.objects.get().name == "Rain?"


def test_what_is_broken_is_not_imported_by_a_confirmation_either(staff):
    page = sent(staff, MIXED)
    for basis in ("1 0 2", "3 0 0", ""):
        then(staff, page, "confirm", basis=basis)
    assert not Market.objects.exists()


def test_what_others_did_meanwhile_is_shown_before_it_is_confirmed(staff):
    page = sent(staff, GOOD)
    make_market("Theirs", external_id="x:1")
    again = then(staff, page, "confirm")
    assert "Something changed since you looked." in words(again)
    assert totals(again) == (1, 1, 0)
    assert Market.objects.count() == 1
    then(staff, again, "confirm")
    assert Market.objects.count() == 2


def test_a_sign_that_was_lost_is_refused_when_it_comes_back(staff):
    page = sent(staff, b"external_id,name\r\na,Will\x00 it?\r\n")
    assert totals(page) == (0, 0, 1)
    page = then(staff, page, "mend", **{"row-2-name": "Will\ufffd it?"})
    assert "stands for a character that was lost" in words(page)


def test_arrays_of_json_are_mended_as_json(staff):
    rows = [
        {"external_id": "x:1", "name": "Rain?", "outcomes": [{"label": "A", "probability": 2}, "B"]}
    ]
    page = sent(staff, json.dumps(rows).encode(), "a.json")
    assert totals(page) == (0, 0, 1)
    page = then(
        staff, page, "mend", **{"row-1-outcomes": '[{"label": "A", "probability": "0.2"}, "B"]'}
    )
    then(staff, page, "confirm")
    assert [o.probability for o in Market.objects.get().outcomes.all()] == [200_000, 800_000]


def test_rows_that_this_site_has_not_packed_are_refused(staff):
    page = sent(staff, GOOD)
    answer = then(staff, page, "confirm", content=kept(page)["content"][:-3] + "xyz")
    assert answer.status_code == 200
    assert "choose the file again" in words(answer)
    assert not Market.objects.exists()


@pytest.mark.parametrize("kind", ["csv", "xlsx", "json"])
def test_an_example_can_be_downloaded_and_imported(staff, kind):
    example = staff.get(PATH, {"example": kind})
    assert (
        example.headers["Content-Disposition"] == f'attachment; filename="markets-example.{kind}"'
    )
    if kind == "xlsx":
        header = next(load_workbook(io.BytesIO(example.content)).worksheets[0].values)
        assert header == COLUMNS
    page = sent(staff, example.content, f"example.{kind}")
    assert totals(page) == (2, 0, 0)
    then(staff, page, "confirm")
    assert list(Market.objects.order_by("pk").values_list("status", flat=True)) == [
        "active",
        "scheduled",
    ]


def test_the_page_explains_every_column(staff):
    assert tuple(page_of_import.GUIDE) == COLUMNS
    text = words(staff.get(PATH))
    assert all(column in text for column in COLUMNS)


def many(count, **more):
    file = io.StringIO(newline="")
    writer = csv.writer(file)
    writer.writerow(["external_id", "name", *more])
    writer.writerows([f"x:{n}", f"Market {n}?", *more.values()] for n in range(count))
    return file.getvalue().encode()


@pytest.mark.parametrize(
    ("data", "name", "says"),
    [
        (b"", "a.csv", "file is empty"),
        (b"external_id,name\n", "a.csv", "has no rows below its header"),
        (b"external_id;name\nx:1;Rain?\n".replace(b"name", b"title"), "a.csv", "lacks name. Known columns"),
        (b"external_id,name,name\nx:1,a,b\n", "a.csv", "Two columns have the same name."),
        (GOOD.decode().encode("utf-16"), "a.csv", "Line 1 is not UTF-8"),
        ("external_id,name\nx:1,Smørrebrød?\n".encode("latin-1"), "a.csv", "Line 2 is not UTF-8"),
        (b"external_id,name\nx:1\nx:2,a,b\n", "a.csv", "Row 2: The row has 1 cells, the header has 2."),
        (b"external_id,name\nx:1," + b"x" * 10_000_000 + b"\n", "a.csv", "The file has 9.5 MB; at most 4 MB"),
        (b"x" * 50_000_000, "a.xlsx", "The file has 47.7 MB; at most 4 MB"),
        (b"not a zip", "a.xlsx", "not a workbook that can be read"),
        (b'{"rows": 1}', "a.json", "Give an array of objects"),
        (b"[1]", "a.json", "Give an array of objects"),
        (b"{", "a.json", "This is not JSON"),
        (many(2_001), "a.csv", "has 2,001 rows; this page takes 2,000"),
        (many(10_001), "a.csv", "has 10,001 rows; this page takes 2,000"),
    ],
    ids=lambda value: value[:40] if isinstance(value, str) else "",
)  # fmt: skip
def test_a_file_that_cannot_be_imported_says_why(staff, data, name, says):
    page = sent(staff, data, name)
    assert page.status_code == 200
    assert says in words(page)
    assert not Market.objects.exists()


@pytest.mark.parametrize(
    "data",
    [
        b"external_id,name\nx:\x001,Rain?\nx:2,a\x00b\n",
        b"external_id,name,description\nx:1,Rain?," + b"x" * 130_000 + b"\nx:2,,\n",
        b"external_id,name\n=1+1,\n\x1b[31m,<script>alert(1)</script>\n",
    ],
    ids=["NUL", "a long text", "controls"],
)
def test_rows_that_make_no_sense_are_shown_as_broken(staff, data):
    page = sent(staff, data)
    assert totals(page)[2] >= 1
    assert b"<script>alert(1)" not in page.content
    assert then(staff, page, "mend").status_code == 200


def test_the_largest_file_is_shown_with_few_queries_and_all_broken_rows_first(staff):
    rows = many(2_000, close_at="2031-01-01").splitlines()
    for place in range(1_500, 1_560):
        rows[place] = rows[place].replace(b"2031-01-01", b"soon")
    with CaptureQueriesContext(connection) as queries:
        page = sent(staff, b"\n".join(rows))
    assert len(queries) <= 15
    assert totals(page) == (1_940, 0, 60)
    text = words(page)
    assert "50 of the 60 broken rows can be mended here at once." in text
    assert "These are 200 of the 2000 rows." in text
    assert page.content.decode().count("Error: close_at") == 60
    assert len(kept(page)) < 1_000
    assert then(staff, page, "mend").status_code == 200


def test_a_file_of_nothing_but_errors_stops_at_a_hundred(staff):
    page = sent(staff, many(1_000, close_at="soon"))
    assert totals(page) == (0, 0, 100)
    assert "The check ended at its hundredth error" in words(page)


def test_texts_that_the_page_cannot_carry_are_refused(staff, monkeypatch):
    monkeypatch.setattr(page_of_import, "MOST_PACKED", 100)
    page = sent(staff, GOOD)
    assert page.status_code == 200
    assert "too long for this page" in words(page)
