"""From an opinion to a trade, as strangers and traders do it: by mouse, by keyboard, on a phone, without JavaScript."""

from __future__ import annotations

import re

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from markets.domain.amounts import MICRO, to_credits, to_percent
from markets.domain.text import OutcomeDraft
from markets.models import Account, Market, Trade
from markets.services import lifecycle
from tests.support import factory
from tests.support.browser import fill_in_sign_in, needs_chromium, picture, sign_in_by_hand
from tests.support.clock import NOW
from tests.support.people import person
from tests.support.processes import wait_for

pytestmark = needs_chromium

SECRET = "a long enough secret"
PHONE = {"width": 390, "height": 844}


@pytest.fixture
def deep(make_market):
    """A market that takes large amounts."""
    return make_market("Will it rain?", liquidity=2_000 * MICRO)


class Hand:
    """Counts what a person does: clicks, or keys that are no text."""

    def __init__(self, page):
        self.page, self.clicks = page, 0

    def click(self, control):
        control.click()
        self.clicks += 1

    def type(self, label, text):
        """A click into the field, then the text."""
        field = self.page.get_by_role("textbox", name=re.compile(f"^{label}"))
        self.click(field)
        field.press_sequentially(text)

    def tab_to(self, control):
        """By Tab alone, to something that shows that it has the focus."""
        for _ in range(60):
            self.page.keyboard.press("Tab")
            if control.count() and control.evaluate("one => one === document.activeElement"):
                shown = control.evaluate(
                    """one => [one, one.parentElement, one.nextElementSibling].filter(Boolean).some(near => {
                        const {outlineStyle, outlineWidth, boxShadow} = getComputedStyle(near);
                        return (outlineStyle !== "none" && parseFloat(outlineWidth) > 0) || boxShadow !== "none";
                    })"""
                )
                assert shown, "the focus cannot be seen"
                return
        raise AssertionError(f"no way to {control} by Tab")


def panel(page):
    return page.get_by_role("region", name="Trade")


def buy(page):
    return page.get_by_role("button", name=re.compile(r"^(Buy|Sell [\d.,]+) "))


def trades(name=None):
    found = Trade.objects.order_by("pk")
    return list(found.filter(trader__username=name) if name else found)


def open_market(page, server, name="bob", slug="will-it-rain"):
    sign_in_by_hand(page, server, name, to=f"/markets/{slug}")
    page.locator(".pulse.live").wait_for()


def others_buy(amount, label="Yes"):
    market = Market.objects.get(name="Will it rain?")
    outcome = market.outcomes.get(label=label)
    person_ = person(f"other{Trade.objects.count()}")
    factory.trade(person_, market, factory.order(outcome, amount=amount * MICRO))


# --- A stranger ---


def joins_and_trades(hand, server, *, said):
    """From the home page to a trade; the order is typed before there is an account."""
    page = hand.page
    page.goto(f"{server.url}/")
    picture(page, f"stranger-1-home-{said}")
    hand.click(page.get_by_role("link", name=re.compile("Will it rain")))
    page.get_by_role("heading", name="Will it rain?").wait_for()
    bar = page.locator("a.bar")
    if bar.is_visible():
        hand.click(bar)
    hand.type("Spend", "25")
    panel(page).get_by_text("Pays if right").wait_for()
    picture(page, f"stranger-2-quote-{said}")
    hand.click(panel(page).get_by_role("link", name="Join to trade"))
    page.get_by_text("Then you come back to your trade.").wait_for()
    hand.type("Name", "anna")
    hand.type("Password", SECRET)
    picture(page, f"stranger-3-join-{said}")
    hand.click(page.get_by_role("button", name="Join", exact=True))
    page.wait_for_url("**/markets/will-it-rain?*")
    assert page.get_by_label("Spend").input_value() == "25"
    picture(page, f"stranger-4-back-{said}")
    hand.click(buy(page))
    panel(page).get_by_text(re.compile("^Bought .* for 25 credits")).wait_for()
    picture(page, f"stranger-5-traded-{said}")
    (made,) = trades("anna")
    assert made.cost <= 25 * MICRO
    assert page.locator("#balance").inner_text() == "975"


@pytest.mark.parametrize("width", [1280, 390])
def test_a_stranger_trades_within_ten_clicks(server, market, page, width):
    page.set_viewport_size({"width": width, "height": 844})
    hand = Hand(page)
    joins_and_trades(hand, server, said=width)
    assert hand.clicks <= 10, hand.clicks
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    position = page.get_by_role("region", name="Your position")
    assert to_credits(trades("anna")[0].shares) in position.inner_text()
    assert page.url.endswith("/markets/will-it-rain"), "a reload does not offer the order again"


def test_a_stranger_trades_by_keyboard_alone(server, market, page):
    hand, keys = Hand(page), page.keyboard
    page.goto(f"{server.url}/")
    hand.tab_to(page.get_by_role("link", name=re.compile("Will it rain")))
    keys.press("Enter")
    page.get_by_role("heading", name="Will it rain?").wait_for()
    yes = page.get_by_role("radio", name=re.compile("^Yes"))
    hand.tab_to(yes)
    keys.press("ArrowRight")
    assert page.get_by_role("radio", name=re.compile("^No")).is_checked()
    hand.tab_to(page.get_by_label("Spend"))
    keys.type("25")
    panel(page).get_by_text("shares of No").wait_for()
    hand.tab_to(panel(page).get_by_role("link", name="Join to trade"))
    picture(page, "keyboard-1-quote")
    keys.press("Enter")
    page.get_by_text("Then you come back to your trade.").wait_for()
    for label, text in (("Name", "anna"), ("Password", SECRET)):
        field = page.get_by_label(label, exact=True)
        if not field.evaluate("one => one === document.activeElement"):
            hand.tab_to(field)
        keys.type(text)
    keys.press("Enter")
    page.wait_for_url("**/markets/will-it-rain?*")
    hand.tab_to(buy(page))
    picture(page, "keyboard-2-button")
    keys.press("Enter")
    panel(page).get_by_text(re.compile("^Bought .* No for 25 credits")).wait_for()
    assert page.evaluate("document.activeElement.id") == "panel", "and goes on from there"
    assert len(trades("anna")) == 1


def test_enter_shows_what_one_gets_and_enter_again_trades(server, market, bob, page):
    open_market(page, server)
    page.get_by_label("Spend").focus()
    page.keyboard.type("10")
    page.keyboard.press("Enter")
    wait_for(lambda: page.evaluate("document.activeElement.closest('#place') !== null"))
    page.keyboard.press("Enter")
    panel(page).get_by_text(re.compile("^Bought .* Yes for 10 credits")).wait_for()
    assert len(trades("bob")) == 1


def test_a_stranger_trades_without_javascript(server, market, browser):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    hand = Hand(page)
    page.goto(f"{server.url}/")
    hand.click(page.get_by_role("link", name=re.compile("Will it rain")))
    hand.type("Spend", "25")
    hand.click(page.get_by_role("button", name="Show what I get"))
    picture(page, "plain-1-quote")
    hand.click(panel(page).get_by_role("link", name="Join to trade"))
    hand.type("Name", "anna")
    hand.type("Password", SECRET)
    hand.click(page.get_by_role("button", name="Join", exact=True))
    page.wait_for_url("**/markets/will-it-rain?*")
    hand.click(buy(page))
    panel(page).get_by_text(re.compile("^Bought .* Yes for 25 credits")).wait_for()
    picture(page, "plain-2-traded")
    assert len(trades("anna")) == 1
    assert hand.clicks <= 10
    page.go_back()
    page.reload()
    assert len(trades("anna")) == 1
    context.close()


# --- Traders ---


def test_what_was_bought_is_sold_again_within_ten_seconds(server, market, bob, page):
    open_market(page, server)
    page.get_by_role("button", name="+10").click()
    page.get_by_role("button", name="Buy Yes for 10").click()
    again = page.get_by_role("button", name=re.compile("^Sell .* again for"))
    assert re.fullmatch(r"Sell [\d.]+ Yes again for [\d.]+", again.inner_text()), "one sentence"
    again.click()
    panel(page).get_by_text(re.compile("^Sold .* Yes for 9")).wait_for()
    assert [trade.side for trade in trades("bob")] == ["buy", "sell"]
    page.get_by_text("You hold no shares here now.").wait_for()


def test_sell_again_goes_away_after_ten_seconds(server, market, bob, page):
    page.clock.install()
    open_market(page, server)
    page.get_by_role("button", name="+10").click()
    page.clock.run_for(1000)
    page.get_by_role("button", name="Buy Yes for 10").click()
    page.get_by_role("button", name=re.compile("^Sell .* again for")).wait_for()
    page.clock.run_for(9_000)
    assert page.get_by_role("button", name=re.compile("^Sell .* again for")).is_visible()
    page.clock.run_for(2_000)
    page.get_by_role("button", name=re.compile("^Sell .* again for")).wait_for(state="detached")


@pytest.mark.parametrize(("chance", "bought"), [("65", "Yes"), ("40", "No")])
def test_an_opinion_becomes_a_trade(server, market, bob, page, chance, bought):
    open_market(page, server)
    page.get_by_label("or: I think it is").fill(chance)
    panel(page).get_by_text("Price moves").wait_for()
    picture(page, f"opinion-{chance}")
    page.get_by_role("button", name=re.compile(f"^Buy {bought} for ")).click()
    panel(page).get_by_text(re.compile(f"^Bought .* {bought} for ")).wait_for()
    assert to_percent(Market.objects.get().priced()[0][1]) == f"{chance}%"
    number = page.locator(".number.large [data-price]")
    wait_for(lambda: number.inner_text() == f"{chance}%")


def test_one_of_many_is_chosen_by_its_button(server, make_market, bob, page):
    make_market("Who wins?", outcomes=[OutcomeDraft(label) for label in ("Ann", "Ben", "Cy")])
    open_market(page, server, slug="who-wins")
    page.get_by_role("link", name="Buy Cy").click()
    assert page.evaluate("document.activeElement.id") == "amount"
    page.keyboard.type("12")
    page.get_by_role("button", name="Buy Cy for 12").click()
    panel(page).get_by_text(re.compile("^Bought .* Cy for 12 credits")).wait_for()
    picture(page, "many")


def test_a_price_that_moved_is_asked_about_before_the_trade(server, market, bob, page):
    open_market(page, server)
    page.get_by_label("Spend").fill("25")
    buy(page).wait_for()
    page.route("**/markets/will-it-rain?*", lambda route: route.abort())  # the quote goes stale
    others_buy(30)
    buy(page).click()
    page.unroute("**/markets/will-it-rain?*")
    asked = panel(page).get_by_role("alert")
    asked.get_by_text("now. Buy anyway?").wait_for()
    picture(page, "moved")
    assert not trades("bob")
    buy(page).click()
    panel(page).get_by_text(re.compile("^Bought .* Yes for 25 credits")).wait_for()
    assert len(trades("bob")) == 1


def test_a_large_trade_is_asked_about_and_carried_out_by_the_second_press(server, deep, bob, page):
    open_market(page, server)
    page.get_by_role("button", name="Max").click()
    page.get_by_role("button", name=re.compile("^Buy Yes for (1,000|999)")).click()
    panel(page).get_by_text("Are you sure?").wait_for()
    picture(page, "sure")
    assert not trades("bob")
    buy(page).click()
    panel(page).get_by_text(re.compile("^Bought ")).wait_for()
    assert Account.objects.get(user=bob).balance < MICRO


def test_two_tabs_spend_the_last_credits_once(server, deep, bob, browser):
    """What one tab spends, the other one's balance and Max know; an order made before is told why it fails."""
    context = browser.new_context()
    page, other = context.new_page(), context.new_page()
    open_market(page, server)
    other.goto(page.url)
    other.locator(".pulse.live").wait_for()
    for tab in (page, other):
        tab.get_by_label("Spend").fill("600")
        tab.get_by_role("button", name=re.compile("^Buy Yes for ")).click()
        tab.get_by_text("Are you sure?").wait_for()
    buy(page).click()
    panel(page).get_by_text(re.compile("^Bought ")).wait_for()
    wait_for(lambda: other.locator("#balance").inner_text() != "1,000")
    assert other.get_by_role("button", name="Max").get_attribute("data-max").startswith("40")
    buy(other).click()
    other.get_by_text("try less, or Max.").wait_for()
    picture(other, "last-credits")
    assert other.get_by_label("Spend").input_value() == "600"
    assert len(trades("bob")) == 1
    other.get_by_role("button", name="Max").click()
    other.get_by_role("button", name=re.compile(r"^Buy Yes for (40\d|399)")).wait_for()
    context.close()


@pytest.mark.parametrize("typing", ["an amount", "nothing yet"])
def test_a_market_that_closes_while_the_panel_is_open_says_so(server, market, bob, page, typing):
    open_market(page, server)
    page.evaluate("window.same = true")
    page.get_by_label("Spend").focus()
    if typing == "an amount":
        page.keyboard.type("25")
        buy(page).wait_for()
    lifecycle.close_market(market_id=market.pk, actor=None, now=NOW)
    panel(page).get_by_text("Nobody can trade here now: it is closed.").wait_for()
    picture(page, f"closed-{typing.split()[0]}")
    assert not buy(page).count()
    assert page.evaluate("window.same"), "without a reload"


def test_a_market_that_opens_again_has_all_of_its_panel(server, market, bob, page):
    lifecycle.pause_market(market_id=market.pk, actor=None, now=NOW)
    open_market(page, server)
    panel(page).get_by_text("Nobody can trade here now: it is paused.").wait_for()
    page.locator(".pulse.live").wait_for()
    lifecycle.open_market(market_id=market.pk, actor=None, now=NOW)
    page.get_by_role("button", name="+10").click()
    buy(page).wait_for()


def test_an_opinion_says_whether_it_buys_or_sells(server, market, bob, page):
    factory.trade(bob, market, factory.order(market.outcomes.first()))
    open_market(page, server)
    page.get_by_label("I think it is").fill("40")
    page.get_by_role("button", name=re.compile(r"^Sell [\d.]+ Yes for")).wait_for()
    assert page.get_by_role("radio", name="Sell").is_checked()
    page.get_by_label("I think it is").fill("80")
    page.get_by_role("button", name=re.compile("^Buy Yes for")).wait_for()
    assert page.get_by_role("radio", name="Buy").is_checked()


def test_a_session_that_ends_mid_trade_leads_to_sign_in_and_back_to_the_order(
    server, market, bob, page
):
    open_market(page, server)
    page.get_by_label("Spend").fill("25")
    buy(page).wait_for()
    page.context.clear_cookies()
    buy(page).click()
    page.wait_for_url(re.compile("/account/login/"))
    picture(page, "session-ended")
    fill_in_sign_in(page, "bob")
    page.wait_for_url("**/markets/will-it-rain?*")
    assert page.get_by_label("Spend").input_value() == "25"
    assert not trades("bob")
    buy(page).click()
    panel(page).get_by_text(re.compile("^Bought .* Yes for 25 credits")).wait_for()
    assert len(trades("bob")) == 1


def test_who_signed_in_anew_in_another_tab_presses_twice_at_most(server, market, bob, browser):
    """The form's token is of the session before; a page of one's own, since the refusal is logged in the console."""
    context = browser.new_context()
    page = context.new_page()
    page.set_default_timeout(10_000)
    open_market(page, server)
    page.get_by_label("Spend").fill("25")
    buy(page).wait_for()
    context.clear_cookies()
    sign_in_by_hand(context.new_page(), server, "bob", to="/settings")
    buy(page).click()
    page.get_by_text("Press again: the order is carried out once.").wait_for()
    wait_for(lambda: page.locator("#place button:not([disabled])").count())
    buy(page).click()
    panel(page).get_by_text(re.compile("^Bought .* Yes for 25 credits")).wait_for()
    assert len(trades("bob")) == 1
    context.close()


@pytest.mark.parametrize(
    ("written", "after"), [("1,000", "1010"), ("12.5 cr", "22.5"), ("4.35", "14.35"), ("all", "10")]
)
def test_ten_more_is_ten_more_however_the_amount_is_written(server, deep, page, written, after):
    page.goto(f"{server.url}/markets/will-it-rain")
    page.get_by_label("Spend").fill(written)
    page.get_by_role("button", name="+10").click()
    assert page.get_by_label("Spend").input_value() == after


def test_nonsense_is_answered_while_one_types_and_stays(server, market, bob, page):
    open_market(page, server)
    for text in ("all", "1e9", "-5", "٣", "0"):
        page.get_by_label("Spend").fill(text)
        alert = panel(page).get_by_role("alert")
        said = "Give more than 0." if text == "0" else "Write the amount as a number"
        alert.get_by_text(said).wait_for()
        assert page.get_by_label("Spend").input_value() == text
        assert not buy(page).count()
    picture(page, "nonsense")


def test_max_is_what_one_has_or_all_that_the_market_takes(server, make_market, page):
    market = make_market(liquidity=20 * MICRO)
    trader = person("tess")
    sign_in_by_hand(page, server, "tess", to=market.get_absolute_url())
    page.get_by_role("button", name="Max").click()
    page.get_by_role("button", name="Buy Yes for").wait_for()
    assert 0 < float(page.get_by_label("Spend").input_value()) < 1000  # what one has
    assert not page.get_by_role("alert").is_visible()
    assert trader.trades.count() == 0


def test_the_picture_of_a_chart_is_told_as_it_is_now(server, make_market, page, bob):
    market = make_market()
    page.goto(f"{server.url}{market.get_absolute_url()}")
    page.locator(".pulse.live").wait_for(state="attached")
    assert page.get_by_role("img", name="Yes, 50% to 50%").count() == 1
    yes = factory.yes_no(market)[0]
    factory.trade(bob, market, factory.order(yes, amount=50 * MICRO), now=timezone.now())
    price = page.locator(".number.large b")
    expect(price).not_to_have_text("50%")
    expect(page.locator("#chart svg")).to_have_attribute(
        "aria-label", re.compile(f"to {re.escape(price.inner_text())}$")
    )
    page.get_by_text("As a table").click()
    expect(page.locator("#chart-table tbody tr").first).to_contain_text(price.inner_text())
