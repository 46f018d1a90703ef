"""What staff do with people, by mouse: find somebody, read what they did, grant, suspend and lift, issue a key."""

import re

import httpx
import pytest
from django.test import Client
from django.utils import timezone
from playwright.sync_api import expect

from markets.domain.amounts import MICRO, to_text
from markets.models import Account, JournalEntry
from markets.services import ledger
from tests.support.browser import needs_chromium, open_list, picture, sign_in_by_hand
from tests.support.factory import balance, make_market, order, trade, yes_no
from tests.support.people import bearer, key_for
from tests.support.processes import wait_for

pytestmark = needs_chromium

PHONE = {"width": 390, "height": 844}


@pytest.fixture
def traded(market, bob):
    """Bob has bought of two markets and sold of one."""
    ledger.open_account(user=bob, now=timezone.now())
    for where in (market, make_market("Will the river rise above the mark at the old bridge?")):
        trade(bob, where, order(yes_no(where)[0], shares=12_500_000))
    trade(bob, market, order(yes_no(market)[0], side="sell", shares=5 * MICRO))
    return market


def open_person(page, name, typed=""):
    open_list(page, "Users")
    page.get_by_placeholder("Username or e-mail").fill(typed or name)
    page.keyboard.press("Enter")
    page.get_by_role("link", name=name, exact=True).click()
    expect(page.get_by_role("heading", name=name, exact=True)).to_be_visible()


def tab(page, name):
    page.locator("#tabs-items").get_by_role("link", name=name, exact=True).click()


def press(page, name):
    page.get_by_role("button", name=name, exact=True).click()


def test_a_treasurer_finds_somebody_reads_the_statement_and_grants_once(
    server, traded, bob, staff_member, page
):
    before = balance(bob)
    staff_member(groups=("Treasurers",))
    sign_in_by_hand(page, server, "sam")
    open_list(page, "Users")
    picture(page, "people-list")
    open_person(page, "bob", typed="bob@example.org")
    expect(page.get_by_role("textbox", name=re.compile("E-?mail"))).to_have_count(0)
    expect(page.get_by_text("Reset password")).to_have_count(0)
    expect(page.get_by_text("pbkdf2")).to_have_count(0)
    picture(page, "people-overview-treasurer")

    tab(page, "Statement")
    expect(page.get_by_role("row", name="Starting grant")).to_contain_text("+1000")
    expect(page.get_by_role("row", name="trade").first).to_contain_text("bob")
    picture(page, "people-statement")
    page.get_by_placeholder("Searches the first").fill("old bridge")
    page.keyboard.press("Enter")
    expect(page.get_by_role("row", name="trade")).to_have_count(1)
    for name in ("API keys", "Notifications"):
        expect(page.get_by_role("link", name=name, exact=True)).to_have_count(0)
    tab(page, "Positions")
    expect(page.get_by_role("row", name="Will it rain?")).to_contain_text("7.5")
    picture(page, "people-positions")
    tab(page, "Trades")
    expect(page.get_by_role("row", name="sell")).to_have_count(1)
    picture(page, "people-trades")

    page.get_by_role("link", name="Grant or take credits").click()
    press(page, "Show what will happen")
    expect(page.get_by_text("This field is required.").first).to_be_visible()
    picture(page, "people-grant-refused")
    page.get_by_label("Amount").fill("5")
    page.get_by_label("Reason").fill("Found a mistake in our question.")
    picture(page, "people-grant-form")
    press(page, "Show what will happen")
    shown = f"will have {to_text(before + 5 * MICRO)}"
    expect(page.get_by_text(shown)).to_be_visible()
    assert balance(bob) == before, "nothing happens before it is confirmed"
    picture(page, "people-grant-preview")
    page.get_by_role("button", name="Confirm", exact=True).dblclick()
    expect(page.get_by_text("bob was given 5 credits").first).to_be_visible()
    assert balance(bob) == before + 5 * MICRO
    tab(page, "Statement")
    row = page.get_by_role("row", name="Found a mistake in our question.")
    expect(row).to_have_count(1)
    expect(row).to_contain_text("sam")
    expect(row).to_contain_text("+5")


def test_somebody_who_never_traded_is_granted_credits_from_their_page(server, alice, bob, page):
    sign_in_by_hand(page, server, "alice")
    open_person(page, "bob")
    expect(page.get_by_text("Has not traded yet")).to_be_visible()
    picture(page, "people-overview-superuser")
    page.get_by_role("link", name="Grant or take credits").click()
    page.get_by_label("Amount").fill("-12.5")
    page.get_by_label("Reason").fill("Came late.")
    press(page, "Show what will happen")
    expect(page.get_by_text("bob has 1000 credits and will have 987.5.")).to_be_visible()
    press(page, "Change what I wrote")
    expect(page.get_by_label("Reason")).to_have_value("Came late.")
    press(page, "Show what will happen")
    assert not Account.objects.filter(user=bob).exists()
    press(page, "Confirm")
    expect(page.get_by_text("12.5 credits were taken from bob")).to_be_visible()
    assert balance(bob) == 987_500_000
    page.get_by_role("link", name="Grant or take credits").click()
    page.get_by_label("Amount").fill("-987.500001")
    page.get_by_label("Reason").fill("All of it.")
    press(page, "Show what will happen")
    expect(page.get_by_text("This takes 987.500001 credits; 987.5 are there.")).to_be_visible()
    expect(page.get_by_label("Reason")).to_have_value("All of it.")
    assert JournalEntry.objects.filter(kind="deduction").count() == 1


def test_somebody_is_suspended_with_a_reason_and_comes_back(server, alice, bob, browser, page):
    secret = key_for(bob, "read", "trade")
    me = f"{server.url}/api/v1/me"

    def answer():
        return httpx.get(me, headers=bearer(secret))

    assert answer().status_code == 200
    bobs = signed_in(browser, server, bob)
    assert bobs.request.get(me).status == 200

    sign_in_by_hand(page, server, "alice")
    open_person(page, "bob")
    expect(page.get_by_role("link", name="Lift the suspension")).to_have_count(0)
    page.get_by_role("link", name=re.compile("Suspend$")).click()
    picture(page, "people-suspend-form")
    page.get_by_label("Reason").fill("Two accounts.")
    press(page, "Show what will happen")
    expect(page.get_by_text("signed out everywhere")).to_be_visible()
    picture(page, "people-suspend-preview")
    press(page, "Suspend")
    expect(page.get_by_text("bob is suspended: Two accounts.")).to_be_visible()
    expect(page.get_by_text("Suspended", exact=True)).to_be_visible()
    picture(page, "people-suspended")

    assert bobs.request.get(me).status == 401
    wait_for(lambda: answer().status_code == 401, 1)
    assert "suspended" in answer().json()["detail"]

    page.get_by_role("link", name="Lift the suspension").click()
    page.get_by_label("Reason").fill("It was a brother.")
    press(page, "Show what will happen")
    picture(page, "people-lift-preview")
    press(page, "Lift the suspension")
    expect(page.get_by_text("bob is no longer suspended")).to_be_visible()
    wait_for(lambda: answer().status_code == 200, 2)
    assert bobs.request.get(me).status == 401, "the session of before is gone for good"
    bobs.close()

    tab(page, "History")
    picture(page, "people-history")
    expect(page.get_by_text("Suspended: no → yes. Reason: Two accounts.")).to_be_visible()
    expect(page.get_by_text("Suspended: yes → no. Reason: It was a brother.")).to_be_visible()


def signed_in(browser, server, user):
    """A browser with a session of somebody who is not staff; the admin's login is not for them."""
    client = Client()
    client.force_login(user)
    page = browser.new_page()
    cookie = {"name": "sessionid", "value": client.cookies["sessionid"].value, "url": server.url}
    page.context.add_cookies([cookie])
    return page


def test_one_finds_out_who_made_somebody_staff(server, alice, bob, page):
    sign_in_by_hand(page, server, "alice")
    open_person(page, "bob")
    page.get_by_label("Staff status").check()
    page.get_by_label("Treasurers").check()
    picture(page, "people-rights")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("was changed successfully")).to_be_visible()
    open_person(page, "bob")
    tab(page, "History")
    expect(page.get_by_text("Staff: no → yes; groups: + Treasurers.")).to_be_visible()
    expect(page.get_by_role("listitem").filter(has_text="Treasurers")).to_contain_text("alice")
    picture(page, "people-history-rights")


def test_a_key_is_issued_for_somebody_and_seen_once(server, bob, alice, page):
    sign_in_by_hand(page, server, "alice")
    open_person(page, "bob")
    page.get_by_role("link", name="Issue an API key").click()
    press(page, "Issue the key")
    expect(page.get_by_text("This field is required.").first).to_be_visible()
    page.get_by_label("Name").fill("His bot")
    page.get_by_label("trade: buy and sell").check()
    picture(page, "people-key-form")
    page.get_by_role("button", name="Issue the key", exact=True).dblclick()
    field = page.get_by_label("The key")
    expect(field).to_be_visible()
    picture(page, "people-key")
    secret = field.input_value()
    me = f"{server.url}/api/v1/me"
    assert httpx.get(me, headers=bearer(secret)).json()["username"] == "bob"

    page.get_by_role("link", name="I have copied it").click()
    expect(page.get_by_role("row", name="His bot")).to_contain_text("read, trade")
    assert secret not in page.content()
    picture(page, "people-keys")
    page.get_by_role("row", name="His bot").get_by_role("checkbox").check()
    page.get_by_label("Select action to run").select_option(label="Revoke the chosen keys")
    press(page, "Run")
    expect(page.get_by_text("1 key(s) revoked.")).to_be_visible()
    wait_for(lambda: httpx.get(me, headers=bearer(secret)).status_code == 401, 2)
    tab(page, "History")
    expect(page.get_by_text("Key issued: bw_")).to_be_visible()
    expect(page.get_by_text("Key revoked: bw_")).to_be_visible()


@pytest.mark.parametrize("look", ["light", "dark"])
def test_the_pages_of_a_person_fit_a_phone(server, traded, bob, alice, page, look):
    key_for(bob)
    page.emulate_media(color_scheme=look)
    sign_in_by_hand(page, server, "alice")
    page.set_viewport_size(PHONE)
    for name in (
        "change",
        "statement",
        "positions",
        "keys",
        "grant",
        "suspend",
        "issue_key",
        "history",
    ):
        page.goto(f"{server.url}/admin/auth/user/{bob.pk}/{name}/")
        expect(page.get_by_text("bob").first).to_be_visible()
        picture(page, f"people-phone-{look}-{name}")
        wide = "[...document.querySelectorAll('*')].filter(e => e.getBoundingClientRect().right > 391).map(e => e.outerHTML.slice(0, 90))"
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"], (
            name,
            page.evaluate(wide),
        )
    page.goto(f"{server.url}/admin/auth/user/")
    picture(page, f"people-phone-{look}-list")
    page.set_viewport_size({"width": 1280, "height": 900})
    for name in ("statement", "change", "grant"):
        page.goto(f"{server.url}/admin/auth/user/{bob.pk}/{name}/")
        picture(page, f"people-wide-{look}-{name}")
