"""What staff do on the lists of the admin, by mouse: every action of markets, accounts and keys."""

import re
from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from markets.domain.amounts import MICRO
from markets.models import Account, ApiKey, JournalEntry, Market, Resolution
from markets.services import ledger
from tests.support.browser import (
    begin,
    choose,
    fill_in_sign_in,
    needs_chromium,
    open_list,
    open_row,
    picture,
    press,
    sidebar,
    sign_in_by_hand,
)
from tests.support.factory import balance, order, resolve, trade, yes_no
from tests.support.people import key_for

pytestmark = needs_chromium

# operation on chosen markets: what it is run on, what is filled in, the status that it leads to, what the message says
OPERATIONS = {
    "Schedule": ("draft", {}, "scheduled", "scheduled"),
    "Open": ("draft", {}, "active", "opened"),
    "Pause": ("active", {}, "paused", "paused"),
    "Close": ("active", {}, "closed", "closed"),
    "Cancel": (
        "active", {"Note": "Asked twice.", "Write “cancel”": "cancel"}, "cancelled", "cancelled",
    ),
}  # fmt: skip
# move on a market's own page: what it is run on, what is filled in, the button that confirms, the status that it leads to
MOVES = {
    "Schedule": ("draft", {}, "Schedule", "scheduled"),
    "Open": ("draft", {}, "Open for trading", "active"),
    "Pause": ("active", {}, "Pause trading", "paused"),
    "Close the market": ("active", {}, "End trading", "closed"),
    "Resolve": (
        "active", {"A share of Yes pays": "1", "Note": "It rained all day."}, "Resolve and pay", "resolved",
    ),
    "Unresolve": ("resolved", {"Note": "It was the other gauge."}, "Take the payouts back", "closed"),
    "Cancel": (
        "active", {"Note": "Asked twice.", "Write “cancel”": "cancel"}, "Cancel the market and refund",
        "cancelled",
    ),
}  # fmt: skip
NAMES = {"Cancel": "Cancel and refund"}  # of operations, where the first word is not all
PHONE = {"width": 390, "height": 844}


@pytest.fixture
def account(bob):
    return ledger.open_account(user=bob, now=timezone.now())


@pytest.fixture
def market_that(make_market, bob):
    """Makes a market that is traded on when it can be, in a status."""

    def make(status, name="Will it rain?"):
        if status == "draft":
            return make_market(name, status="draft", open_at=timezone.now() + timedelta(days=1))
        market = make_market(name)
        ledger.open_account(user=bob, now=timezone.now())
        trade(bob, market, order(yes_no(market)[0]))
        return resolve(market, yes=MICRO) if status == "resolved" else market

    return make


def kept_note(market):
    """The note of a resolution or of what called the market off."""
    resolution = Resolution.objects.filter(market=market, reversed_at=None).first()
    if resolution:
        return resolution.note
    return market.events.order_by("-seq").first().payload.get("note", "")


def test_who_signs_in_at_the_login_page_itself_comes_to_the_admin(server, alice, page):
    page.goto(f"{server.url}/admin/login/")
    fill_in_sign_in(page, "alice")
    expect(sidebar(page, "Accounts")).to_be_visible()


def fill(page, answers):
    for label, text in answers.items():
        page.get_by_label(label).fill(text)
    if answers:
        press(page, "Show what will happen")


@pytest.mark.parametrize("action", OPERATIONS)
def test_a_superuser_runs_each_operation_of_the_market_list(
    server, alice, market_that, page, action
):
    before, answers, after, done = OPERATIONS[action]
    market, other = market_that(before), market_that("draft", "Another one?")
    sign_in_by_hand(page, server, "alice")
    open_list(page, "Markets")
    choose(page, market.name, action).click()
    fill(page, answers)
    expect(page.get_by_text("1 market will")).to_be_visible()
    market.refresh_from_db()
    assert market.status == before, "nothing has happened yet"
    press(page, NAMES.get(action, action))

    expect(page.get_by_text(f"Markets: 1 {done}.")).to_be_visible()
    expect(page.get_by_role("row", name=market.name)).to_contain_text(after)
    market.refresh_from_db()
    other.refresh_from_db()
    assert (market.status, other.status) == (after, "draft")
    assert market.events.order_by("-seq").first().actor == alice
    assert kept_note(market) == answers.get("Note", "")


@pytest.mark.parametrize("move", MOVES)
def test_a_superuser_makes_each_move_on_the_markets_own_page(
    server, alice, market_that, page, move
):
    before, answers, verb, after = MOVES[move]
    market = market_that(before)
    sign_in_by_hand(page, server, "alice")
    open_row(page, "Markets", market.name)
    begin(page, move)
    fill(page, answers)
    press(page, verb)
    expect(page.get_by_text(re.compile(f"{re.escape(market.name)} is "))).to_be_visible()
    market.refresh_from_db()
    assert market.status == after
    assert market.events.order_by("-seq").first().actor == alice
    assert kept_note(market) == answers.get("Note", "")


def test_a_move_that_is_not_legal_has_no_button_and_an_operation_says_what_it_skips(
    server, alice, market_that, page
):
    market = market_that("draft")
    sign_in_by_hand(page, server, "alice")
    open_list(page, "Markets")
    choose(page, market.name, "Pause").click()
    expect(page.get_by_text("1 is draft and is skipped.")).to_be_visible()
    expect(page.get_by_text("None of the chosen markets can be changed this way.")).to_be_visible()
    expect(page.get_by_role("button", name="Pause", exact=True)).to_have_count(0)
    open_row(page, "Markets", market.name)
    for move in MOVES:
        legal = move in {"Schedule", "Open", "Cancel"}
        expect(page.get_by_role("link", name=move, exact=True)).to_have_count(int(legal))
    market.refresh_from_db()
    assert (market.status, market.seq) == ("draft", 1)


def test_resolving_pays_and_unresolving_takes_it_back(server, alice, bob, market_that, page):
    market = market_that("active")
    paid_in = 1000 * MICRO - balance(bob)
    sign_in_by_hand(page, server, "alice")
    open_row(page, "Markets", market.name)
    begin(page, "Resolve")
    page.get_by_role("button", name="Yes", exact=True).click()
    fill(page, {"Note": "It rained."})
    press(page, "Resolve and pay")
    expect(page.get_by_text("is resolved, and its traders are paid.")).to_be_visible()
    assert balance(bob) == 1010 * MICRO - paid_in
    begin(page, "Unresolve")
    fill(page, {"Note": "It did not."})
    press(page, "Take the payouts back")
    expect(page.get_by_text("is closed again, and its payouts are taken back.")).to_be_visible()
    assert balance(bob) == 1000 * MICRO - paid_in


def test_credits_are_granted_and_taken_with_a_reason(server, alice, bob, account, page):
    sign_in_by_hand(page, server, "alice")
    open_list(page, "Accounts")
    run = choose(page, "trader bob", "Grant", Credits="12.5", Reason="For the bug you found")
    picture(page, "account-list")
    run.click()
    expect(page.get_by_text("trader bob: 12.5 credits, For the bug you found.")).to_be_visible()
    expect(page.get_by_role("row", name="trader bob")).to_contain_text("1012.5")
    choose(page, "trader bob", "Grant", Credits="-12.5", Reason="It was none").click()
    expect(page.get_by_text("It was none")).to_be_visible()
    expect(page.get_by_role("row", name="trader bob")).to_contain_text("1000")
    entries = JournalEntry.objects.filter(actor=alice).order_by("pk")
    assert list(entries.values_list("kind", "note")) == [
        ("grant", "For the bug you found"),
        ("deduction", "It was none"),
    ]
    assert balance(bob) == 1000 * MICRO


def test_a_double_click_on_run_grants_exactly_once(server, alice, bob, account, page):
    sign_in_by_hand(page, server, "alice")
    open_list(page, "Accounts")
    choose(page, "trader bob", "Grant", Credits="5", Reason="Twice as eager").dblclick()
    expect(
        page.get_by_text(re.compile("5 credits, Twice as eager|This was done already")).first
    ).to_be_visible()
    expect(page.get_by_role("row", name="trader bob")).to_contain_text("1005")
    assert balance(bob) == 1005 * MICRO
    assert JournalEntry.objects.filter(actor=alice).count() == 1


@pytest.mark.parametrize(
    ("amount", "reason", "says"),
    [
        ("", "Because", re.compile("amount of credits")),
        ("5", "", re.compile("reason")),
        ("0", "Because", re.compile("other than zero")),
        ("-1000.000001", "Because", re.compile(r"takes 1000\.000001 credits; 1000 are there")),
    ],
    ids=["no amount", "no reason", "nothing", "more than there is"],
)
def test_a_grant_that_cannot_be_says_what_to_do_and_changes_nothing(
    server, alice, bob, account, page, amount, reason, says
):
    sign_in_by_hand(page, server, "alice")
    open_list(page, "Accounts")
    choose(page, "trader bob", "Grant", Credits=amount, Reason=reason).click()
    expect(page.get_by_role("listitem").filter(has_text=says)).to_be_visible()
    assert balance(bob) == 1000 * MICRO
    assert not JournalEntry.objects.filter(actor=alice).exists()


def test_somebody_who_never_traded_is_given_an_account_and_then_credits(server, alice, bob, page):
    sign_in_by_hand(page, server, "alice")
    open_list(page, "Accounts")
    page.get_by_role("link", name="Add account").click()
    page.get_by_label("Username").fill("bop")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("Nobody has the username 'bop'")).to_be_visible()
    picture(page, "account-add")
    page.get_by_label("Username").fill("bob")
    page.get_by_role("button", name="Save", exact=True).click()
    choose(page, "trader bob", "Grant", Credits="5", Reason="Welcome").click()
    expect(page.get_by_role("row", name="trader bob")).to_contain_text("1005")
    assert balance(bob) == 1005 * MICRO


def test_only_traders_are_given_credits(server, alice, market, page):
    held = Account.objects.get(market=market).balance
    sign_in_by_hand(page, server, "alice")
    open_list(page, "Accounts")
    choose(page, f"market {market.name}", "Grant", Credits="5", Reason="Because").click()
    expect(page.get_by_text("only traders are given credits")).to_be_visible()
    assert Account.objects.get(market=market).balance == held


def test_keys_are_revoked(server, alice, bob, page):
    key_for(bob)
    sign_in_by_hand(page, server, "alice")
    open_list(page, "API keys")
    choose(page, "bob", "Revoke").click()
    expect(page.get_by_text("1 key(s) revoked.")).to_be_visible()
    assert ApiKey.objects.get(user=bob).revoked_at is not None


def fits(button):
    box = button.bounding_box()
    assert 0 <= box["x"] < box["x"] + box["width"] <= PHONE["width"]


def test_on_a_phone_a_resolved_market_can_be_read_and_unresolved(server, alice, market_that, page):
    market = market_that("resolved")
    sign_in_by_hand(page, server, "alice")
    page.set_viewport_size(PHONE)
    page.goto(f"{server.url}/admin/markets/market/")
    page.get_by_role("link", name=market.name).click()
    expect(page.get_by_text("This market is settled").first).to_be_visible()
    picture(page, "phone-market")
    begin(page, "Unresolve")
    press(page, "Show what will happen")
    confirm = page.get_by_role("button", name="Take the payouts back")
    confirm.scroll_into_view_if_needed()
    picture(page, "phone-unresolve")
    fits(confirm)
    confirm.click()
    expect(page.get_by_text("is closed again, and its payouts are taken back.")).to_be_visible()
    assert Market.objects.get().status == "closed"
