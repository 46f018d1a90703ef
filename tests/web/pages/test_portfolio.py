"""The portfolio and the statement, as the server sends them."""

import csv
import html
import io
import re

import pytest

from markets.domain.amounts import MICRO, to_credits, to_text
from markets.domain.text import OutcomeDraft
from markets.infra.threads import in_thread
from markets.models import Posting
from markets.selectors.worth import worth_of
from markets.services import ledger, resolution
from tests.support.clock import NOW
from tests.support.factory import balance, make_market, order, resolve, trade, yes_no
from tests.support.people import sign_in

PAGES = ("/portfolio", "/portfolio?show=settled", "/portfolio/statement")


@pytest.fixture
async def own(client, bob):
    await sign_in(client, "bob")
    return client


def text_of(page):
    """As somebody reads it."""
    plain = re.sub(r"<(script|style|svg|template).*?</\1>", "", page, flags=re.DOTALL)
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", plain)).split())


def rows_of(page):
    return len(re.findall("<li[ >]", page))


def lived(bob):
    """One market is held, one is resolved, one called off; a grant came as well."""
    held, won, off = (make_market(f"{name}?") for name in ("Held", "Won", "Off"))
    trade(bob, held, order(yes_no(held)[0], shares=53 * MICRO))
    trade(bob, won, order(yes_no(won)[0], shares=20 * MICRO))
    trade(bob, won, order(yes_no(won)[0], "sell", shares=5 * MICRO))
    trade(bob, off, order(yes_no(off)[1], shares=8 * MICRO))
    resolve(won, yes=MICRO)
    resolution.cancel_market(market_id=off.pk, actor=None, now=NOW)
    ledger.grant(user=bob, amount=50 * MICRO, actor=None, now=NOW, reason="Well asked")
    return held


@pytest.mark.parametrize("path", [*PAGES, "/portfolio/statement.csv", "/settings/keys"])
async def test_who_is_not_signed_in_is_led_to_sign_in_and_back(client, world, path):
    answer = await client.get(path)
    assert answer.status_code == 302
    where, _, onward = answer.headers["Location"].partition("?next=")
    assert (where, html.unescape(onward).replace("%3F", "?").replace("%3D", "=")) == (
        "/account/login/",
        path,
    )


@pytest.mark.parametrize("path", PAGES)
async def test_somebody_new_reads_what_to_do_next(own, path):
    page = await own.get(path)
    assert "no-store" in page.headers["Cache-Control"]
    assert "See the markets" in page.text
    if path == "/portfolio":
        assert "You hold nothing yet" in page.text
        assert "Find a question you have an opinion on" in page.text
        assert "1,000 cr" in text_of(page.text)


async def test_the_portfolio_adds_up(own, bob):
    await in_thread(lived, bob)
    page = (await own.get("/portfolio")).text
    worth = await in_thread(lambda: worth_of(bob, now=NOW))
    shown = text_of(page)
    assert f"{to_credits(worth.total)} cr" in shown
    assert f"Balance {to_credits(worth.balance)} cr" in shown
    assert "53 shares of Yes" in shown
    assert re.search(r"Profit by trading [▲▼] [\d.]+ cr", shown)
    assert f'data-now="{worth.held}"' in page
    assert f'data-total="{worth.balance}"' in page
    api = (await own.get("/api/v1/me")).json()
    assert api["positions_value"] == to_text(worth.held)


async def test_a_row_leads_to_its_sale_with_the_order_filled_in(own, bob):
    held = await in_thread(lived, bob)
    page = (await own.get("/portfolio")).text
    link = html.unescape(re.search(r'href="([^"]+side=sell[^"]+)"', page)[1])
    outcome = await in_thread(lambda: yes_no(held)[0])
    assert link == f"/markets/held?outcome={outcome.pk}&side=sell&amount=53#panel"
    offer = (await own.get(link)).text
    assert re.search(r"Sell 53 <bdi>Yes</bdi> for ", offer)


async def test_what_cannot_be_traded_now_has_no_sell(own, bob):
    from markets.services import lifecycle

    held = await in_thread(lived, bob)
    await in_thread(lambda: lifecycle.pause_market(market_id=held.pk, actor=None, now=NOW))
    page = (await own.get("/portfolio")).text
    assert "paused" in text_of(page)
    assert "side=sell" not in page


async def test_settled_says_what_came_true_and_what_it_paid(own, bob):
    await in_thread(lived, bob)
    shown = text_of((await own.get("/portfolio?show=settled")).text)
    assert re.search(r"Off\? Called off · you held 8 of No paid back [\d.]+ cr 0 cr", shown)
    assert re.search(r"Won\? Yes · you held 15 of Yes paid 15 cr ▲ [\d.]+ cr", shown)
    assert "Held?" not in shown


async def test_the_statement_tells_of_every_movement(own, bob):
    await in_thread(lived, bob)
    page = (await own.get("/portfolio/statement")).text
    shown = text_of(page)
    for told in (
        "Grant Well asked +50 cr",
        "Refund Off? +",
        "Payout Won? +15 cr",
        "Sold 5 Yes Won? +",
        "Bought 53 Yes Held? −",
        "Starting grant +1,000 cr balance 1,000",
    ):
        assert told in shown, told
    held = await in_thread(balance, bob)
    assert f'title="{to_text(held)}"' in page, "the exact balance"
    assert shown.index("Well asked") < shown.index("Starting grant")


async def test_long_lists_are_paged_and_a_wrong_cursor_begins_anew(own, bob):
    def many():
        for number in range(32):
            market = make_market(f"Market {number}?")
            for _ in range(2):
                trade(bob, market, order(yes_no(market)[0], shares=MICRO))

    await in_thread(many)
    for path, first, second in (("/portfolio", 30, 2), ("/portfolio/statement", 50, 15)):
        page = (await own.get(path)).text
        assert rows_of(page) == first
        older = html.unescape(re.search(r'href="(\?cursor=[^"]+)"', page)[1])
        assert rows_of((await own.get(path + older)).text) == second
        assert rows_of((await own.get(f"{path}?cursor=banana")).text) == first


async def test_the_statement_as_csv_is_exact_and_no_spreadsheet_runs_it(own, bob):
    def live():
        evil = make_market("=1+1 is it?", outcomes=[OutcomeDraft("@SUM"), OutcomeDraft("No")])
        trade(bob, evil, order(yes_no(evil)[0], shares=MICRO + 1))
        ledger.grant(user=bob, amount=-MICRO, actor=None, now=NOW, reason="+cmd|' /C calc'!A0")

    await in_thread(live)
    answer = await own.get("/portfolio/statement.csv")
    assert answer.headers["Content-Type"].startswith("text/csv")
    assert "statement.csv" in answer.headers["Content-Disposition"]
    assert "no-store" in answer.headers["Cache-Control"]
    rows = list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"))))
    assert [row["kind"] for row in rows] == ["grant", "trade", "deduction"]
    assert (rows[1]["market"], rows[1]["outcome"]) == ("'=1+1 is it?", "'@SUM")
    assert rows[1]["shares"] == "1.000001"
    assert rows[2]["note"].startswith("'+cmd")
    assert rows[2]["amount"] == "-1"

    def postings():
        return [to_text(p.amount) for p in Posting.objects.filter(account__user=bob).order_by("pk")]

    assert [row["amount"] for row in rows] == await in_thread(postings)


async def test_nobody_sees_what_is_somebody_elses(own, alice):
    await in_thread(lived, alice)
    for path in PAGES:
        assert "Held?" not in (await own.get(path)).text
    assert (await own.get("/portfolio/statement.csv")).text.count("\n") == 1


async def test_the_line_is_told_in_words_and_as_a_table(own, bob):
    await in_thread(lived, bob)
    page = (await own.get("/portfolio")).text
    assert re.search(r'aria-label="Worth, [\d,.]+ to [\d,.]+"', page)
    assert "As a table" in page
    assert re.search(r"<td>1,0\d\d</td>|<td>9\d\d</td>", page)
