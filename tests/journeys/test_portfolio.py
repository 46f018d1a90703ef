"""The portfolio, the statement and the keys, as people use them."""

import re

import httpx
from django.utils import timezone
from playwright.sync_api import expect

from markets.domain.amounts import MICRO, to_credits
from markets.models import ApiKey
from markets.selectors import portfolio
from markets.selectors.worth import worth_of
from markets.services import resolution
from tests.support.axe import assert_accessible
from tests.support.browser import needs_chromium, sign_in_by_hand
from tests.support.clock import NOW
from tests.support.factory import make_market, order, resolve, trade, yes_no
from tests.support.people import bearer, person

pytestmark = needs_chromium


def shown_worth(user):
    return to_credits(worth_of(user, now=timezone.now()).total)


def big(page):
    return page.locator(".number.large b")


def buy(user, market, shares=20, which=0):
    what = order(yes_no(market)[which], shares=shares * MICRO)
    trade(user, market, what, now=timezone.now())


def follow_live(page):
    page.get_by_text("Live", exact=True).wait_for()


def test_worth_moves_when_somebody_else_trades(server, bob, page):
    rain, snow = make_market("Will it rain?"), make_market("Will it snow?")
    buy(bob, rain)
    buy(bob, snow)
    buy(bob, snow, shares=5, which=1)
    sign_in_by_hand(page, server, "bob", to="/portfolio")
    follow_live(page)
    before = big(page).inner_text()
    for which in (0, 1):
        buy(person(f"charlie{which}"), snow, shares=60, which=which)
        expect(big(page)).to_have_text(shown_worth(bob))
    buy(person("dora"), snow, shares=40)
    expect(big(page)).to_have_text(shown_worth(bob))
    assert big(page).inner_text() != before
    live = page.locator("main").inner_text()
    page.reload()
    follow_live(page)
    assert page.locator("main").inner_text() == live, "the server says the same"


def test_what_one_trades_elsewhere_comes_and_goes_and_is_followed(server, bob, page):
    rain, snow = make_market("Will it rain?"), make_market("Will it snow?")
    buy(bob, rain)
    sign_in_by_hand(page, server, "bob", to="/portfolio")
    follow_live(page)
    buy(bob, snow)
    page.get_by_role("link", name="Will it snow?", exact=True).wait_for()
    buy(person("charlie"), snow, shares=60)
    expect(big(page)).to_have_text(shown_worth(bob))
    trade(bob, rain, order(yes_no(rain)[0], "sell", shares=20 * MICRO))
    page.get_by_role("link", name="Will it rain?", exact=True).wait_for(state="detached")
    resolve(snow, yes=MICRO)
    page.get_by_text("You hold nothing yet").wait_for()
    expect(big(page)).to_have_text(shown_worth(bob))


def test_what_was_traded_before_the_page_could_listen_is_seen(server, bob, page):
    rain, snow = make_market("Will it rain?"), make_market("Will it snow?")
    buy(bob, rain)
    sign_in_by_hand(page, server, "bob", to="/settings")

    def late(what):
        """The page is there, and then somebody trades before its script is."""

        def answer(route):
            what()
            route.continue_()

        page.route("**/markets/live*.js", answer, times=1)

    late(lambda: buy(bob, snow))
    page.goto(f"{server.url}/portfolio")
    page.get_by_role("link", name="Will it snow?", exact=True).wait_for()
    late(lambda: buy(bob, rain, shares=5))
    page.goto(f"{server.url}{rain.get_absolute_url()}")
    page.get_by_role("region", name="Your position").get_by_role(
        "cell", name="25", exact=True
    ).wait_for()
    expect(page.locator("#balance")).to_have_text(to_credits(portfolio.spendable(bob)))


def test_a_position_is_sold_in_two_presses(server, bob, page):
    buy(bob, make_market("Will it rain?"))
    sign_in_by_hand(page, server, "bob", to="/portfolio")
    page.get_by_role("link", name="Sell 20 Yes: Will it rain?").click()
    page.get_by_role("button", name="Sell 20 Yes for").click()
    page.get_by_text(re.compile(r"Sold 20 Yes for [\d.]+ credits")).first.wait_for()
    assert portfolio.open_positions(bob).count() == 0
    page.get_by_role("link", name="Your portfolio, balance").click()
    page.get_by_text("You hold nothing yet").wait_for()
    page.get_by_role("link", name="Statement").click()
    page.get_by_text("Sold 20 Yes").wait_for()
    with page.expect_download() as download:
        page.get_by_role("link", name="Download all as CSV").click()
    assert download.value.suggested_filename == "statement.csv"


def tab_to(page, text):
    """The panel itself has the focus when its address is opened: that is not its button."""
    focused = "document.activeElement.matches('a, button') ? document.activeElement.innerText : ''"
    for _ in range(60):
        page.keyboard.press("Tab")
        if text in page.evaluate(focused):
            return
    raise AssertionError(f"nobody comes to {text!r} with Tab")


def test_a_position_is_sold_by_keyboard_alone(server, bob, page):
    buy(bob, make_market("Will it rain?"))
    sign_in_by_hand(page, server, "bob", to="/portfolio")
    tab_to(page, "Sell")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Sell 20 Yes for").wait_for()
    tab_to(page, "Sell 20 Yes for")
    page.keyboard.press("Enter")
    page.get_by_text("Sold 20 Yes for").first.wait_for()


def status_with(server, secret):
    return httpx.get(f"{server.url}/api/v1/me", headers=bearer(secret)).status_code


def test_a_key_is_made_seen_once_used_and_revoked(server, bob, page):
    sign_in_by_hand(page, server, "bob", to="/settings")
    page.get_by_role("link", name="API keys").click()
    page.get_by_label("What is it for?").fill("My bot")
    page.get_by_label("Trade with your credits").check()
    page.get_by_label("It expires").select_option(label="in 30 days")
    page.get_by_role("button", name="Make the key").dblclick()
    field = page.get_by_label("My bot")
    secret = field.input_value()
    assert status_with(server, secret) == 200
    page.get_by_role("button", name="Copy").click()
    page.get_by_text("Copied").wait_for()
    assert field.evaluate("it => it.value.slice(it.selectionStart, it.selectionEnd)") == secret
    page.reload()  # sends the form again
    page.get_by_text("made and shown before").wait_for()
    assert secret not in page.content()
    for _ in range(2):
        page.go_back()
        assert secret not in page.content()
    assert ApiKey.objects.count() == 1

    page.goto(f"{server.url}/settings/keys")
    page.locator("summary", has_text="Revoke").click()
    page.get_by_role("button", name="Revoke the key My bot").click()
    page.get_by_text("The key is revoked").wait_for()
    assert status_with(server, secret) == 401


PATHS = ("/portfolio", "/portfolio?show=settled", "/portfolio/statement", "/settings/keys")


def test_every_page_fits_a_phone_and_axe_finds_nothing(server, bob, page):
    sign_in_by_hand(page, server, "bob", to="/portfolio")
    visit(server, page)
    held, won, off = (
        make_market(f"{word * 6} {word}?") for word in ("Unpronounceable", "Won", "Off")
    )
    for market in (held, won, off):
        buy(bob, market, shares=400)
        buy(bob, market, which=1)
    resolve(won, yes=MICRO)
    resolution.cancel_market(market_id=off.pk, actor=None, now=NOW)
    page.get_by_label("What is it for?").fill("x" * 80)
    page.get_by_role("button", name="Make the key").click()
    page.get_by_role("button", name="Copy").wait_for()
    fits(page)
    assert_accessible(page)
    visit(server, page)
    page.locator("summary").first.click()
    assert_accessible(page)
    page.get_by_role("button", name="Make the key").click()
    page.get_by_text("must not be empty").wait_for()
    assert_accessible(page)


def visit(server, page):
    for path in PATHS:
        page.goto(server.url + path)
        fits(page)
        assert_accessible(page)


def fits(page):
    for width in (390, 320, 1280):
        page.set_viewport_size({"width": width, "height": 844})
        wider = page.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert wider <= 0, (page.url, width)


def test_all_of_it_works_without_javascript(server, bob, browser):
    buy(bob, make_market("Will it rain?"))
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    sign_in_by_hand(page, server, "bob", to="/portfolio")
    page.get_by_role("link", name="Sell 20 Yes").click()
    page.get_by_role("button", name="Sell 20 Yes for").click()
    page.get_by_text("Sold 20 Yes for").first.wait_for()
    page.goto(f"{server.url}/settings/keys")
    page.get_by_label("What is it for?").fill("My bot")
    page.get_by_role("button", name="Make the key").click()
    assert status_with(server, page.get_by_label("My bot").input_value()) == 200
    context.close()
