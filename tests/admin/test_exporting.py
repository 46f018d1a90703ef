"""Lists of the admin as files: what stands in them, for whom, and what they cost."""

import csv
import io
import tracemalloc

import pytest
from django.db import connection
from django.db.models.query import QuerySet
from openpyxl import load_workbook

from markets.admin import exporting
from markets.infra.threads import in_thread
from markets.models import JournalEntry, Market, Outcome, Posting, Trade
from markets.presenters.export import CHUNK, csv_chunks, safe_cell
from tests.support.factory import make_market, order, resolve, trade, yes_no
from tests.support.people import person, sign_in

EVIL = '=HYPERLINK("http://a.example")'


@pytest.fixture
async def admin(client, alice):
    await sign_in(client, "alice")
    return client


async def exported(admin, model, kind="csv", **query):
    answer = await admin.get(f"/admin/markets/{model}/export_{kind}/", params=query)
    assert answer.status_code == 200, answer.headers
    assert "no-store" in answer.headers["Cache-Control"]
    assert f".{kind}" in answer.headers["Content-Disposition"]
    if kind == "csv":
        assert answer.content.startswith(b"\xef\xbb\xbf")
        text = answer.content.decode("utf-8-sig")
        return list(csv.DictReader(io.StringIO(text, newline="")))
    sheet = load_workbook(io.BytesIO(answer.content)).worksheets[0]
    header, *rows = sheet.iter_rows(values_only=True)
    return [dict(zip(header, row, strict=True)) for row in rows]


def traded():
    """Two people trade in two markets, one of which is resolved; its name looks like a formula."""
    evil = make_market(EVIL, category="Sky", tags=["a", "b"], external_id="-x", description="-5")
    rain = make_market("Will it rain?")
    ann, ben = person("@ann"), person("ben")
    for market in (evil, rain):
        trade(ann, market, order(yes_no(market)[0], shares=2_500_000))
        trade(ben, market, order(yes_no(market)[1]))
    resolve(evil, yes=1_000_000)
    return evil, rain


@pytest.mark.parametrize("kind", ["csv", "xlsx"])
async def test_markets_are_exported_with_prices_and_resolution(admin, kind):
    evil, rain = await in_thread(traded)
    rows = await exported(admin, "market", kind)
    assert [row["id"] for row in rows] == [type(rows[0]["id"])(pk) for pk in (evil.pk, rain.pk)]
    first = rows[0]
    assert first["name"] == "'" + EVIL
    assert first["external_id"] == "'-x"
    assert first["description"] == "-5"
    assert (first["status"], first["category"], first["tags"]) == ("resolved", "sky", "a|b")
    assert (first["outcomes"], first["resolved_to"]) == ("Yes|No", "Yes 1")
    assert first["created_at"].endswith("Z")
    assert sum(map(float, rows[1]["prices"].split("|"))) == pytest.approx(1)
    assert float(first["liquidity"]) == 100
    assert isinstance(first["liquidity"], str if kind == "csv" else int)


@pytest.mark.parametrize("kind", ["csv", "xlsx"])
async def test_trades_are_exported_as_the_list_is_filtered_and_searched(admin, kind):
    _, rain = await in_thread(traded)
    assert len(await exported(admin, "trade", kind)) == 4
    rows = await exported(admin, "trade", kind, market__id__exact=rain.pk, q="@ann")
    assert [(row["trader"], row["market"], row["outcome"], row["side"]) for row in rows] == [
        ("'@ann", "Will it rain?", "Yes", "buy")
    ]
    assert float(rows[0]["shares"]) == 2.5
    assert rows[0]["at"].endswith("Z")
    assert await exported(admin, "trade", kind, side__exact="sell") == []


@pytest.mark.parametrize("kind", ["csv", "xlsx"])
async def test_the_postings_of_a_list_of_entries_sum_to_zero(admin, kind):
    await in_thread(traded)
    rows = await exported(admin, "journalentry", kind)
    assert len(rows) == await in_thread(Posting.objects.count)
    assert sum(round(float(row["amount"]) * 1e6) for row in rows) == 0
    rows = await exported(admin, "journalentry", kind, kind__exact="payout")
    assert {row["kind"] for row in rows} == {"payout"}
    paid = next(row for row in rows if row["trader"] == "'@ann")
    assert float(paid["amount"]) == 2.5
    lost = min(rows, key=lambda row: float(row["amount"]))
    assert lost["amount"] == (str(lost["amount"]) if kind == "csv" else float(lost["amount"]))
    assert float(lost["amount"]) < 0, "a negative amount is no formula"


async def test_positions_are_exported_at_current_prices(admin):
    await in_thread(traded)
    rows = await exported(admin, "position")
    assert [(row["trader"], row["status"], row["shares"], row["payout"]) for row in rows] == [
        ("'@ann", "resolved", "2.5", "2.5"), ("ben", "resolved", "10", "0"),
        ("'@ann", "active", "2.5", "0"), ("ben", "active", "10", "0"),
    ]  # fmt: skip


async def test_the_button_of_a_list_keeps_what_the_list_is_filtered_by(admin):
    await in_thread(traded)
    page = await admin.get("/admin/markets/trade/", params={"side__exact": "buy", "q": "ann"})
    for kind in ("csv", "xlsx"):
        assert f"/admin/markets/trade/export_{kind}/?side__exact=buy&amp;q=ann" in page.text


async def test_a_filter_that_means_nothing_leads_back_to_the_list(admin):
    for kind in ("csv", "xlsx"):
        path = f"/admin/markets/trade/export_{kind}/"
        answer = await admin.get(path, params={"market__id__exact": "soon"})
        assert answer.status_code == 302
        assert answer.headers["Location"] == "../"
        page = await admin.get("/admin/markets/trade/")
        assert "This filter is not known" in page.text


async def test_who_may_see_a_list_but_not_export_has_no_button(client, world):
    from django.contrib.auth.models import Group

    viewer = await in_thread(person, "vic", is_staff=True)
    treasurers = await in_thread(Group.objects.get, name="Treasurers")
    await in_thread(viewer.groups.add, treasurers)
    await sign_in(client, "vic")
    assert "export_csv" not in (await client.get("/admin/markets/trade/")).text
    assert (await client.get("/admin/markets/trade/export_csv/")).status_code == 403


async def test_a_workbook_that_would_be_too_long_is_refused(admin, monkeypatch):
    await in_thread(traded)
    monkeypatch.setattr(exporting, "MOST_XLSX", 3)
    answer = await admin.get("/admin/markets/trade/export_xlsx/", params={"side__exact": "buy"})
    assert answer.headers["Location"] == "../?side__exact=buy"
    page = await admin.get("/admin/markets/trade/")
    assert "A workbook has at most 3 rows: filter the list or choose CSV." in page.text


async def test_openpyxl_leaves_no_file_behind(admin, monkeypatch):
    from openpyxl.worksheet._writer import ALL_TEMP_FILES

    await in_thread(traded)
    await exported(admin, "trade", "xlsx")

    def broken(*_):
        raise ValueError("in the middle")

    monkeypatch.setattr(exporting, "_cell", broken)
    with pytest.raises(ValueError, match="in the middle"):
        await in_thread(exporting.workbook, exporting.EXPORTS[Trade], Trade.objects.all())
    assert ALL_TEMP_FILES == []


async def test_characters_that_a_workbook_cannot_hold_are_left_out(admin):
    await in_thread(make_market, "Rain\ufffe?")
    assert (await exported(admin, "market", "xlsx"))[0]["name"] == "Rain?"


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        ("=1+1", "'=1+1"), ("+1", "'+1"), ("-1+1", "'-1+1"), ("@a", "'@a"), ("\ta", "'\ta"), ("\ra", "'\ra"),
        ("-12.5", "-12.5"), ("-", "'-"), ("-1e5", "'-1e5"), ("-0", "-0"), (-5, -5), ("a=b", "a=b"), ("", ""), (None, None),
    ],
)  # fmt: skip
def test_a_cell_is_no_formula_and_a_negative_number_stays_one(value, cell):
    assert safe_cell(value) == cell


def copies_of_trades(count):
    """Rows as trades leave them, copied in the database."""
    market = make_market()
    first, _ = trade(person("ann"), market, order(yes_no(market)[0]))
    with connection.cursor() as cursor:
        cursor.execute(
            "WITH made AS (INSERT INTO markets_journalentry (kind, at, market_id, note)"
            " SELECT 'trade', now(), %s, '' FROM generate_series(1, %s) RETURNING id)"
            " INSERT INTO markets_trade (market_id, outcome_id, trader_id, side, shares, cost, price_before,"
            " price_after, seq, at, client_order_id, request_digest, entry_id)"
            " SELECT market_id, outcome_id, trader_id, side, shares, cost, price_before, price_after,"
            " made.id + 10, trade.at, 'copy-' || made.id, request_digest, made.id"
            " FROM markets_trade trade, made WHERE trade.id = %s",
            [market.pk, count, first.pk],
        )


async def test_rows_are_read_when_they_are_taken_and_memory_stays_flat(world, monkeypatch):
    await in_thread(copies_of_trades, 20_000)
    read = []
    load = QuerySet._fetch_all

    def counted(rows):
        fresh = rows._result_cache is None
        load(rows)
        if fresh and rows.model is Trade and rows.query.select_related:
            read.append(len(rows._result_cache))

    monkeypatch.setattr(QuerySet, "_fetch_all", counted)
    chunks = csv_chunks(exporting.EXPORTS[Trade], Trade.objects.all())
    await anext(chunks)
    assert read == [], "the header needs no row"
    await anext(chunks)
    assert read == [CHUNK]
    await anext(chunks)  # warm
    tracemalloc.start()
    await anext(chunks)
    tracemalloc.reset_peak()
    await anext(chunks)
    early = tracemalloc.get_traced_memory()[1]
    lines = 4 * CHUNK
    async for chunk in chunks:
        lines += chunk.count(b"\r\n")
    late = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert lines == 20_001
    assert late < 1.3 * early
    assert len(read) == 11


async def test_every_exported_row_is_read_with_a_fixed_number_of_statements(world):
    def statements(count):
        from django.test.utils import CaptureQueriesContext

        for _ in range(count):
            traded_again()
        found = {}
        for model, export in exporting.EXPORTS.items():
            with CaptureQueriesContext(connection) as queries:
                assert list(export.chunks(model._default_manager.all()))
            found[model.__name__] = len(queries)
        return found

    def traded_again():
        number = Market.objects.count()
        market = make_market(f"Market {number}?", tags=["x"])
        trade(person(f"p{number}"), market, order(yes_no(market)[0]))
        resolve(market, yes=1_000_000)

    few = await in_thread(statements, 1)
    more = await in_thread(statements, 5)
    assert more == few
    assert max(few.values()) <= 10
    assert await in_thread(Outcome.objects.count) == 12
    assert await in_thread(JournalEntry.objects.count) > 6
