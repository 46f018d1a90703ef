"""What staff do with files in the admin: import questions, mend broken rows, export a list."""

import contextlib
import csv
import io
import json

import pytest
from openpyxl import Workbook, load_workbook
from playwright.sync_api import Error, expect

from markets.management.commands.load_sample import SAMPLE
from markets.models import Event, Market
from tests.support.browser import needs_chromium, open_list, picture, sign_in_by_hand
from tests.support.factory import make_market, order, trade, yes_no
from tests.support.reactions import react_to_all
from tests.support.real import REAL

pytestmark = needs_chromium

PHONE = {"width": 390, "height": 844}


def questions():
    """250 real questions where they are at hand, or as many with the names of the sample."""
    if REAL.exists():
        return list(csv.DictReader(io.StringIO(REAL.read_text(encoding="utf-8"), newline="")))
    sample = json.loads(SAMPLE.read_text(encoding="utf-8"))
    texts = ("name", "description", "resolution_criteria", "category")
    rows = [{name: row[name] for name in texts} for row in sample]
    return [
        {
            **rows[i % len(rows)],
            "external_id": f"x:{i}",
            "probability": "0.4",
            "close_at": "2031-01-01",
        }
        for i in range(250)
    ]


def as_csv(rows):
    file = io.StringIO(newline="")
    writer = csv.DictWriter(file, rows[0])
    writer.writeheader()
    writer.writerows(rows)
    return file.getvalue().encode()


@pytest.fixture
def broken():
    """250 questions, of which those in the rows 7, 100 and 251 of the file are broken."""
    rows = questions()
    rows[5] = {**rows[5], "probability": "40%"}
    rows[98] = {**rows[98], "close_at": "next summer"}
    rows[249] = {**rows[249], "name": ""}
    return rows


def open_import(page, server, staff_member):
    staff_member("erin", groups=("Market editors",))
    sign_in_by_hand(page, server, "erin")
    open_list(page, "Markets")
    page.get_by_role("link", name="Import markets").click()


def upload(page, name, data):
    page.locator("input[name=file]").set_input_files(
        {"name": name, "mimeType": "application/octet-stream", "buffer": data}
    )
    expect(page.get_by_label("Choose file to upload").first).to_have_value(name)
    page.get_by_role("button", name="Show what will happen").click()


def test_250_questions_with_three_broken_rows_are_mended_and_imported_once(
    server, staff_member, page, broken
):
    open_import(page, server, staff_member)
    picture(page, "import-form")
    upload(page, "questions.csv", as_csv(broken))
    expect(
        page.get_by_role("heading", name="247 will be created, 0 are there already")
    ).to_be_visible()
    expect(page.get_by_text("3 have errors")).to_be_visible()
    expect(page.get_by_role("button", name="Import", exact=True)).to_have_count(0)
    picture(page, "import-broken")
    page.set_viewport_size(PHONE)
    picture(page, "import-broken-phone")
    page.evaluate("document.documentElement.classList.add('dark')")
    page.get_by_role("group", name="Row 251:").scroll_into_view_if_needed()
    page.get_by_role("button", name="Check again").scroll_into_view_if_needed()
    picture(page, "import-broken-phone-dark")
    page.evaluate("document.documentElement.classList.remove('dark')")
    page.set_viewport_size({"width": 1280, "height": 720})
    assert not Market.objects.exists()

    probability = page.get_by_role("group", name="Row 7:")
    expect(probability).to_contain_text("'40%' is not a number between 0 and 1.")
    probability.get_by_label("probability").fill("0.4")
    page.get_by_role("group", name="Row 100:").get_by_label("close_at").fill("2031-06-01")
    page.get_by_role("group", name="Row 251:").get_by_label("name").fill("   ")
    page.get_by_role("button", name="Check again").click()
    expect(page.get_by_text("249 will be created")).to_be_visible()
    page.get_by_role("group", name="Row 251:").get_by_label("name").fill("A question at last?")
    page.get_by_role("button", name="Check again").click()
    expect(page.get_by_text("250 will be created")).to_be_visible()
    picture(page, "import-ready")
    page.get_by_role("button", name="Import", exact=True).dblclick()
    expect(page.get_by_text("250 markets were imported.")).to_be_visible(timeout=60_000)
    picture(page, "import-done")
    assert Market.objects.count() == 250
    assert Market.objects.filter(name="A question at last?").exists()
    assert Event.objects.filter(actor__username="erin").count() == 250

    with contextlib.suppress(Error):  # Chromium asks whether to send the form again
        page.go_back()
    assert Market.objects.count() == 250


def test_broken_rows_of_a_workbook_are_left_out(server, staff_member, page):
    book = Workbook()
    sheet = book.worksheets[0]
    for row in (
        ("external_id", "name", "outcomes"),
        ("x:1", "Rain?", "Yes|No"),
        ("x:2", "Snow?", "Only"),
    ):
        sheet.append(row)
    file = io.BytesIO()
    book.save(file)
    open_import(page, server, staff_member)
    upload(page, "questions.xlsx", file.getvalue())
    expect(page.get_by_role("group", name="Row 3: Snow?")).to_contain_text(
        "A market has 2 to 20 outcomes; this has 1."
    )
    page.get_by_role("button", name="Leave out the 1 broken row").click()
    expect(page.get_by_text("1 will be created")).to_be_visible()
    page.get_by_role("button", name="Import", exact=True).click()
    expect(page.get_by_text("1 market was imported.")).to_be_visible()
    assert Market.objects.get().name == "Rain?"


def test_a_file_that_cannot_be_read_says_why_and_another_is_chosen(server, staff_member, page):
    open_import(page, server, staff_member)
    with page.expect_download() as example:
        page.get_by_role("link", name="XLSX", exact=True).click()
    page.get_by_text("The columns", exact=True).click()
    picture(page, "import-columns")
    with open(example.value.path(), "rb") as file:
        upload(page, "again.xlsx", file.read())
    expect(page.get_by_text("2 will be created")).to_be_visible()


def test_a_filtered_list_is_exported_and_read(server, staff_member, page, bob):
    rain, snow = make_market("Will it rain?"), make_market("Will it snow?")
    for market in (rain, snow):
        trade(bob, market, order(yes_no(market)[0]))
    react_to_all()  # the search finds what is indexed
    staff_member("ann", groups=("Auditors",))
    sign_in_by_hand(page, server, "ann")
    open_list(page, "Markets")
    page.locator("#searchbar").fill("snow")
    page.keyboard.press("Enter")
    expect(page.get_by_role("row", name="Will it rain?")).to_have_count(0)
    page.get_by_role("button", name="Export").press("Enter")
    page.get_by_role("link", name="As XLSX").hover()
    picture(page, "export-menu")
    with page.expect_download() as csv_file:
        page.get_by_role("link", name="As CSV").click()
    with open(csv_file.value.path(), encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["name"], row["outcomes"]) for row in rows] == [("Will it snow?", "Yes|No")]

    open_list(page, "Trades")
    page.set_viewport_size(PHONE)
    page.get_by_text("more_horiz").click()
    page.get_by_role("button", name="Export").click()
    page.get_by_role("link", name="As XLSX").hover()
    picture(page, "export-menu-phone")
    with page.expect_download() as xlsx_file:
        page.get_by_role("link", name="As XLSX").click()
    with open(xlsx_file.value.path(), "rb") as file:
        sheet = load_workbook(file).worksheets[0]
    header, *rows = sheet.iter_rows(values_only=True)
    assert [row[header.index("market")] for row in rows] == ["Will it rain?", "Will it snow?"]
    assert [row[header.index("shares")] for row in rows] == [10, 10]
