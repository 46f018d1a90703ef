"""What staff do with markets, from the first draft to the last correction, by mouse."""

import re
from datetime import timedelta

import pytest
from django.contrib.sessions.models import Session
from django.utils import timezone
from playwright.sync_api import expect

from markets.domain.amounts import MICRO
from markets.models import Category, Market
from markets.selectors import audit
from markets.services import ledger
from tests.support.browser import (
    begin,
    fill_in_sign_in,
    needs_chromium,
    offered,
    open_list,
    open_row,
    picture,
    press,
    sign_in_by_hand,
)
from tests.support.factory import balance, edit_now, order, trade, yes_no
from tests.support.people import person

pytestmark = needs_chromium

PHONE = {"width": 390, "height": 844}


@pytest.fixture
def traded(market, bob):
    """Bob holds 100 shares of Yes, Charlie 60 of No."""
    for user, outcome, shares in ((bob, 0, 100), (person("charlie"), 1, 60)):
        ledger.open_account(user=user, now=timezone.now())
        what = order(yes_no(market)[outcome], shares=shares * MICRO)
        trade(user, market, what, now=timezone.now())
    return market


def no_wider_than_the_window(page):
    wide, window = page.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
    assert wide <= window, f"{wide} px of {window}"


def test_an_editor_writes_a_market_with_a_new_tag_and_opens_it(server, staff_member, page):
    staff_member(groups=("Market editors",))
    sign_in_by_hand(page, server, "sam")
    open_list(page, "Markets")
    page.get_by_role("link", name="add", exact=True).click()
    page.get_by_label("Name").fill("Who wins the cup?")
    page.get_by_label("Description").fill("The **final** in June.")
    page.get_by_label(re.compile("Resolution criteria")).fill("As the association says.")
    page.get_by_text("more_vert").nth(1).click()  # beside the tags, as Unfold has it
    with page.expect_popup() as opening:
        page.get_by_role("link", name="Add another tag").click()
    popup = opening.value
    popup.get_by_label("Name").fill("Football")
    with popup.expect_event("close"):
        popup.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_role("listitem", name="Football")).to_be_visible()
    rows = page.get_by_role("group", name="Outcomes").get_by_role("row")
    fields = [row for row in rows.all() if row.get_by_role("textbox").count()]
    for row, (label, probability) in zip(fields, (("Home", "0.6"), ("Away", "0.4")), strict=True):
        row.get_by_role("textbox").first.fill(label)
        row.locator("[data-probability]").fill(probability)
    picture(page, "market-written")
    press(page, "Save")
    expect(page.get_by_text("was added successfully")).to_be_visible()
    page.get_by_role("link", name="Who wins the cup?", exact=True).last.click()
    expect(page.get_by_label("Home: 60%")).to_be_visible()
    begin(page, "Open")
    expect(page.get_by_text("Everybody sees the market and can trade.")).to_be_visible()
    picture(page, "market-open")
    press(page, "Open for trading")
    expect(page.get_by_text("Who wins the cup? is active now.")).to_be_visible()
    picture(page, "market-page")
    market = Market.objects.get()
    assert (market.status, [tag.slug for tag in market.tags.all()]) == ("active", ["football"])
    assert [(o.label, o.probability) for o in yes_no(market)] == [
        ("Home", 600_000),
        ("Away", 400_000),
    ]


def test_an_editor_closes_three_hundred_markets_at_once(
    server, worker, staff_member, make_market, page
):
    for number in range(300):
        make_market(f"Question {number}?", status="active" if number % 3 else "closed")
    staff_member(groups=("Market editors",))
    sign_in_by_hand(page, server, "sam")
    open_list(page, "Markets")
    page.get_by_role("checkbox").first.check()
    page.get_by_role("link", name=re.compile("Select all 300")).click()
    page.get_by_label("Select action to run").select_option(label=offered(page)["Close"])
    picture(page, "bulk-chosen")
    press(page, "Run")
    expect(page.get_by_text("200 markets will close.")).to_be_visible()
    expect(page.get_by_text("100 are closed already and are skipped.")).to_be_visible()
    picture(page, "bulk-preview")
    assert page.evaluate("document.documentElement.scrollHeight") < 1500
    press(page, "Close")
    expect(page.get_by_text("It is being done. This page shows how far it is.")).to_be_visible()
    picture(page, "bulk-progress")
    expect(page.get_by_text("Markets: 200 closed, 100 skipped.").first).to_be_visible(
        timeout=60_000
    )
    expect(page.get_by_text("300 of 300 (100 %)").first).to_be_visible()
    picture(page, "bulk-done")
    assert Market.objects.filter(status="closed").count() == 300


def test_a_resolver_sees_who_gets_what_and_resolves(server, traded, bob, staff_member, page):
    sam = staff_member(groups=("Resolvers",))
    before = balance(bob)
    sign_in_by_hand(page, server, "sam")
    open_row(page, "Markets", traded.name)
    begin(page, "Resolve")
    page.get_by_label("A share of Yes pays").fill("0.99")
    expect(page.get_by_text("The weights sum to 0.99; they must sum to 1.")).to_be_visible()
    page.get_by_role("button", name="Split evenly").click()
    expect(page.get_by_label("A share of No pays")).to_have_value("0.5")
    page.get_by_role("button", name="Yes", exact=True).click()
    expect(page.get_by_text("The weights sum to 1.")).to_be_visible()
    page.get_by_label("Evidence").fill("https://example.org/gauge")
    page.get_by_label("Note").fill("It rained all day.")
    picture(page, "resolve-form")
    press(page, "Show what will happen")
    expect(page.get_by_text("100.00 credits go to who holds what came true")).to_be_visible()
    expect(page.get_by_role("row", name=re.compile("bob"))).to_contain_text("100.00")
    expect(page.get_by_role("row", name=re.compile("charlie"))).to_contain_text("0.00")
    picture(page, "resolve-preview")
    press(page, "Resolve and pay")
    expect(page.get_by_text("is resolved, and its traders are paid.")).to_be_visible()
    expect(page.get_by_text("Resolved: Yes 1")).to_be_visible()
    picture(page, "resolved")
    assert balance(bob) == before + 100 * MICRO
    resolution = traded.resolutions.get()
    assert (resolution.resolved_by, resolution.note) == (sam, "It rained all day.")
    assert resolution.evidence_url == "https://example.org/gauge"


def test_a_shortage_blocks_an_unresolution_until_it_is_granted(
    server, traded, bob, make_market, staff_member, page
):
    from tests.support.factory import resolve

    staff_member(groups=("Resolvers", "Treasurers"))
    resolve(traded, yes=MICRO)
    other = make_market("Other?", liquidity=1000 * MICRO)
    spent = order(yes_no(other)[0], amount=balance(bob) - 30 * MICRO)
    trade(bob, other, spent, now=timezone.now())
    sign_in_by_hand(page, server, "sam")
    open_row(page, "Markets", traded.name)
    begin(page, "Unresolve")
    page.get_by_label("Note").fill("It was the other gauge.")
    press(page, "Show what will happen")
    expect(page.get_by_text("These traders have spent their payout, so")).to_be_visible()
    expect(page.get_by_role("row", name=re.compile("bob"))).to_be_visible()
    expect(page.get_by_role("button", name="Take the payouts back")).to_have_count(0)
    picture(page, "unresolve-short")
    press(page, "Change what I wrote")
    expect(page.get_by_label("Note")).to_have_value("It was the other gauge.")
    page.get_by_label("Grant what is lacking").check()
    press(page, "Show what will happen")
    expect(page.get_by_text("They are granted what they lack:")).to_be_visible()
    picture(page, "unresolve-granting")
    press(page, "Take the payouts back")
    expect(page.get_by_text("is closed again, and its payouts are taken back.")).to_be_visible()
    assert balance(bob) == 0
    assert audit.breaches() == []


def test_a_resolver_cancels_by_typing_the_word(server, traded, bob, staff_member, page):
    staff_member(groups=("Resolvers",))
    sign_in_by_hand(page, server, "sam")
    open_row(page, "Markets", traded.name)
    begin(page, "Cancel")
    page.get_by_label("Note").fill("Asked twice.")
    page.get_by_label("Write “cancel”").fill("yes")
    press(page, "Show what will happen")
    expect(page.get_by_text("Write the word “cancel”, without quotation marks.")).to_be_visible()
    expect(page.get_by_label("Note")).to_have_value("Asked twice.")
    picture(page, "cancel-form")
    page.get_by_label("Write “cancel”").fill("cancel")
    press(page, "Show what will happen")
    expect(page.get_by_text("2 traders get back what they paid in")).to_be_visible()
    picture(page, "cancel-preview")
    press(page, "Cancel the market and refund")
    expect(
        page.get_by_text("is cancelled, and its traders have their credits back.")
    ).to_be_visible()
    assert balance(bob) == 1000 * MICRO
    assert traded.events.last().payload["note"] == "Asked twice."


def test_an_auditor_finds_out_who_changed_a_closing_date(server, traded, alice, staff_member, page):
    from markets.services import catalogue

    first = timezone.now() + timedelta(days=30)
    edit_now(traded, close_at=first)
    catalogue.edit_market(
        market_id=traded.pk, actor=alice, now=timezone.now(),
        changes={"close_at": first - timedelta(days=20)},
    )  # fmt: skip
    staff_member(groups=("Auditors",))
    sign_in_by_hand(page, server, "sam")
    open_row(page, "Markets", traded.name)
    line = page.get_by_role("region", name="Timeline").get_by_role("listitem").first
    expect(line).to_contain_text("alice · Edited")
    was, now = (f"{at.day} {at:%b %Y %H:%M} UTC" for at in (first, first - timedelta(days=20)))
    expect(line).to_contain_text(f"Closes: {was} → {now}")
    line.scroll_into_view_if_needed()
    picture(page, "timeline")


def test_an_editor_meets_somebodys_newer_save_and_puts_hers_on_top(
    server, market, staff_member, page
):
    staff_member(groups=("Market editors",))
    sign_in_by_hand(page, server, "sam")
    open_row(page, "Markets", market.name)
    page.get_by_label("Name").fill("Will it rain in Bern?")
    edit_now(market, name="Will it rain today?", category="Weather")
    press(page, "Save")
    conflict = page.get_by_text(re.compile("changed it on .* to “Will it rain today"))
    expect(conflict).to_be_visible()
    expect(page.get_by_label("Name")).to_have_value("Will it rain in Bern?")
    picture(page, "conflict")
    press(page, "Save")
    expect(page.get_by_text("was changed successfully")).to_be_visible()
    market.refresh_from_db()
    assert (market.name, market.category.slug) == ("Will it rain in Bern?", "weather")


def test_on_a_phone_a_market_is_found_and_resolved(server, traded, staff_member, page):
    staff_member(groups=("Resolvers",))
    sign_in_by_hand(page, server, "sam")
    page.set_viewport_size(PHONE)
    page.goto(f"{server.url}/admin/markets/market/")
    no_wider_than_the_window(page)
    picture(page, "phone-markets")
    page.get_by_role("link", name=traded.name).click()
    expect(page.get_by_text("2 trades by 2 traders")).to_be_visible()
    no_wider_than_the_window(page)
    picture(page, "phone-market-page")
    begin(page, "Resolve")
    page.get_by_role("button", name="No", exact=True).click()
    picture(page, "phone-resolve-form")
    press(page, "Show what will happen")
    expect(page.get_by_text("This will happen")).to_be_visible()
    no_wider_than_the_window(page)
    picture(page, "phone-resolve-preview")
    press(page, "Resolve and pay")
    expect(page.get_by_text("is resolved, and its traders are paid.")).to_be_visible()
    assert Market.objects.get().status == "resolved"


def test_in_dark_mode_every_step_can_be_read(server, traded, staff_member, page):
    staff_member(groups=("Resolvers", "Market editors"))
    page.emulate_media(color_scheme="dark")
    sign_in_by_hand(page, server, "sam")
    open_list(page, "Markets")
    picture(page, "dark-list")
    open_row(page, "Markets", traded.name)
    picture(page, "dark-market")
    begin(page, "Resolve")
    page.get_by_role("button", name="Split evenly").click()
    picture(page, "dark-resolve-form")
    press(page, "Show what will happen")
    expect(page.get_by_text("This will happen")).to_be_visible()
    picture(page, "dark-resolve-preview")
    press(page, "Resolve and pay")
    expect(page.get_by_text("is resolved, and its traders are paid.")).to_be_visible()


def test_what_was_typed_survives_the_end_of_a_session(server, alice, market, page):
    """On the form of a new market, an added outcome too; and on the page that resolves."""
    sign_in_by_hand(page, server, "alice")
    open_list(page, "Markets")
    page.get_by_role("link", name="add", exact=True).first.click()
    page.get_by_label("Name").fill("Kept?")
    page.get_by_role("link", name="Add another Outcome").click()
    for place, label in enumerate(("A", "B", "C")):
        page.locator(f"[name=outcomes-{place}-label]").fill(label)
    sessions_end(page)
    press(page, "Save")
    fill_in_sign_in(page, "alice")
    press(page, "Put it back")
    assert page.locator("[name=outcomes-2-label]").input_value() == "C"
    assert page.get_by_label("Name").input_value() == "Kept?"
    press(page, "Save")
    expect(page.get_by_text("was added successfully")).to_be_visible()
    assert Market.objects.get(name="Kept?").outcomes.count() == 3

    page.goto(f"{server.url}/admin/markets/market/{market.pk}/resolve/")
    page.get_by_label("Note").fill("As announced.")
    sessions_end(page)
    press(page, "Show what will happen")
    fill_in_sign_in(page, "alice")
    press(page, "Put it back")
    expect(page.get_by_label("Note")).to_have_value("As announced.")


def sessions_end(page):
    Session.objects.all().delete()


@pytest.mark.parametrize("form", ["add", "change"])
@pytest.mark.parametrize("end", ["cookie gone", "all cookies gone", "signed in in another tab"])
def test_what_was_typed_and_chosen_for_a_market_survives(server, alice, market, browser, form, end):
    Category.objects.create(name="Weather", slug="weather")
    context = browser.new_context()
    page = context.new_page()
    page.set_default_timeout(10_000)
    sign_in_by_hand(page, server, "alice")
    if form == "add":
        open_list(page, "Markets")
        page.get_by_role("link", name="add", exact=True).first.click()
        for place, label in enumerate(("A", "B")):
            page.locator(f"[name=outcomes-{place}-label]").fill(label)
    else:
        open_row(page, "Markets", market.name)
    page.get_by_label("Name").fill("Kept?")
    page.get_by_label("Description").fill("A long text.")
    page.locator(".field-category .select2-selection").click()
    page.get_by_role("option", name="Weather").click()
    if end == "signed in in another tab":
        other = context.new_page()
        context.clear_cookies(name="sessionid")
        sign_in_by_hand(other, server, "alice")
        page.bring_to_front()
    else:
        context.clear_cookies(**({"name": "sessionid"} if end == "cookie gone" else {}))
    press(page, "Save")
    if end != "cookie gone":
        picture(page, "csrf")
        page.get_by_role("link", name="Open the page again").click()
    if end != "signed in in another tab":
        fill_in_sign_in(page, "alice")
    if end == "cookie gone":  # one also looks around first
        address = page.url
        open_list(page, "Markets")
        page.goto(address)
    press(page, "Put it back")
    expect(page.get_by_label("Description")).to_have_value("A long text.")
    press(page, "Save")
    expect(page.get_by_text("successfully")).to_be_visible()
    saved = Market.objects.get(name="Kept?")
    assert (saved.description, str(saved.category)) == ("A long text.", "Weather")
    page.goto(f"{server.url}/admin/markets/market/add/")
    expect(page.get_by_label("Name")).to_have_value("")
    expect(page.get_by_role("button", name="Put it back")).to_have_count(0)
    context.close()
