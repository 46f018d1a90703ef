"""How the public pages look to people: to those who see little, who use keys, and who hold a small phone."""

import re

import pytest
from django.utils import timezone

from markets.domain.amounts import MICRO, to_percent
from markets.models import Market
from tests.support.axe import assert_accessible
from tests.support.browser import fill_in_sign_in, needs_chromium, picture
from tests.support.factory import order, trade, yes_no
from tests.support.people import person
from tests.support.probes import (
    ACCENTS_LOOSE,
    OUT_OF_BOX,
    SIDE_SCROLL,
    SMALL_TARGETS,
    TURNED_AROUND,
)
from tests.support.showcase import showcase

pytestmark = needs_chromium


@pytest.fixture
def pages(server):
    """The address of every public page by a name for it."""
    return {name: server.url + path for name, path in showcase().items()}


def settled(page, url):
    """Open a page, and wait until what is live on it lives."""
    page.goto(url)
    if page.locator("[data-live]").count():
        page.locator(".pulse.live").first.wait_for(state="attached")


def test_every_page_is_accessible_in_the_light_and_in_the_dark(pages, page, browser):
    for url in pages.values():
        settled(page, url)
        assert_accessible(page)
    missing = browser.new_page()  # its own, since the console tells of the 404
    missing.goto(pages["home"] + "nowhere")
    assert missing.get_by_role("heading", name="There is nothing here").is_visible()
    assert_accessible(missing)
    missing.close()


def test_a_trader_s_market_is_accessible_with_what_one_holds_and_a_quote(pages, page, server):
    zoe = person("zoe")
    market = Market.objects.get(name="Which request will top the vote?")
    trade(zoe, market, order(yes_no(market)[1]), now=timezone.now())
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(f"{server.url}/account/login/?next={market.get_absolute_url()}")
    fill_in_sign_in(page, "zoe")
    page.locator(".pulse.live").first.wait_for(state="attached")
    page.get_by_label("Spend").fill("25")
    page.get_by_role("button", name=re.compile("^Buy .* for")).wait_for()
    assert_accessible(page)
    for probe in (SIDE_SCROLL, OUT_OF_BOX, SMALL_TARGETS):
        assert page.evaluate(probe) == []


@pytest.mark.parametrize("width", [320, 390, 640, 1280])
def test_nothing_leaves_its_place_or_turns_around_or_is_too_small_to_hit(pages, browser, width):
    scale = 2 if width == 640 else 1  # a window of 1280 pixels at 200 %
    context = browser.new_context(
        viewport={"width": width, "height": 800}, device_scale_factor=scale
    )
    page, wrong = context.new_page(), []
    for name, url in pages.items():
        settled(page, url)
        page.evaluate("for (const d of document.querySelectorAll('details')) d.open = true")
        for probe in (SIDE_SCROLL, OUT_OF_BOX, TURNED_AROUND, ACCENTS_LOOSE, SMALL_TARGETS):
            wrong += [(name, found) for found in page.evaluate(probe)]
        picture(page, f"look-{name}-{width}")
    context.close()
    assert not wrong, "\n".join(f"{name}: {found}" for name, found in sorted(set(wrong)))


def test_placeholders_can_be_read(pages, page):
    contrast = """element => {
      const light = color => {
        const [r, g, b] = color.match(/[\\d.]+/g).map(Number).map(v => v / 255).map(v => v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4);
        return .2126 * r + .7152 * g + .0722 * b + .05;
      };
      const [a, b] = [light(getComputedStyle(element, "::placeholder").color), light(getComputedStyle(element).backgroundColor)];
      return Math.max(a, b) / Math.min(a, b);
    }"""
    settled(page, pages["two"])
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        for field in page.locator("[placeholder]").all():
            assert field.evaluate(contrast) >= 4.5
            assert field.evaluate("e => getComputedStyle(e, '::placeholder').opacity") == "1"


def test_forced_colours_take_nothing_away(pages, page):
    page.emulate_media(forced_colors="active")
    settled(page, pages["many"])
    style = "(e, [pseudo, name]) => getComputedStyle(e, pseudo)[name]"
    paper = page.locator("body").evaluate(style, [None, "backgroundColor"])
    lines = [one.evaluate(style, [None, "stroke"]) for one in page.locator(".line").all()]
    keys = [
        one.evaluate(style, ["::before", "backgroundColor"])
        for one in page.locator(".legend li:not(.some)").all()
    ]
    assert len(set(lines)) == 5, "the lines can be told apart"
    assert keys == lines[::-1], "and named"
    assert paper not in lines
    chosen = page.locator(".choices label:has(:checked)")
    assert chosen.evaluate(style, [None, "outlineStyle"]) == "solid"
    assert page.locator(".ranges [aria-current]").evaluate(style, [None, "outlineStyle"]) == "solid"
    settled(page, pages["two"])
    for button in page.locator(".outcome, .bar .button, .join .button").all():
        assert button.evaluate(style, [None, "borderTopStyle"]) == "solid", "a button has an edge"
    picture(page, "look-forced")
    settled(page, pages["home"])
    value = page.locator("progress").first.evaluate(
        style, ["::-webkit-progress-value", "backgroundColor"]
    )
    assert value != paper
    assert page.locator(".chips [aria-current]").evaluate(style, [None, "outlineStyle"]) == "solid"


def test_who_wants_no_motion_gets_none(pages, page):
    page.emulate_media(reduced_motion="reduce")
    moving = """() => [...document.querySelectorAll("*")].filter(element => {
      element.classList.add("moved");
      const style = getComputedStyle(element);
      return style.transitionDuration !== "0s" || style.animationName !== "none" || style.scrollBehavior === "smooth";
    }).map(element => element.outerHTML.slice(0, 100))"""
    for name in ("home", "many"):
        settled(page, pages[name])
        assert page.evaluate(moving) == []


def test_the_price_is_told_politely_and_rarely(server, market, bob, page):
    page.clock.install()
    settled(page, server.url + market.get_absolute_url())
    told = page.locator("[data-announce]")
    assert told.get_attribute("aria-live") == "polite"
    page.evaluate(
        "window.told = 0; new MutationObserver(() => { window.told += 1; })"
        ".observe(document.querySelector('[data-announce]'), {childList: true, characterData: true, subtree: true})"
    )
    number = page.locator(".number.large [data-price]")
    yes = yes_no(market)[0]

    def move(amount):
        made, _new = trade(bob, market, order(yes, amount=amount * MICRO), now=timezone.now())
        shown = to_percent(made.price_after)
        number.get_by_text(shown, exact=True).wait_for()
        page.clock.run_for(100)
        return shown

    move(20)
    shown = move(20)
    assert page.evaluate("window.told") == 0, "not within half a minute of the last"
    page.clock.fast_forward(31_000)
    told.get_by_text(shown).wait_for(state="attached")
    assert page.evaluate("window.told") == 1
    page.clock.fast_forward(31_000)
    volume = page.locator("[data-volume]").first
    before = volume.inner_text()
    trade(bob, market, order(yes, shares=MICRO // 50), now=timezone.now())
    page.wait_for_function(
        "before => document.querySelector('[data-volume]').innerText !== before", arg=before
    )
    page.clock.run_for(100)
    assert page.evaluate("window.told") == 1, "the number is the same"


def test_keys_lead_from_the_top_to_the_content_and_one_sees_where_one_is(pages, page):
    settled(page, pages["two"])
    focused = """() => {
      const element = document.activeElement, shown = element.matches(".sides input") ? element.nextElementSibling : element;
      const style = getComputedStyle(shown), box = shown.getBoundingClientRect();
      return [(element.innerText || element.getAttribute("aria-label") || element.name || "").trim().split("\\n")[0],
        style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2 && box.left >= 0 && box.bottom > 0 && box.top < innerHeight];
    }"""
    seen = []
    for _ in range(16):
        page.keyboard.press("Tab")
        name, visible = page.evaluate(focused)
        assert visible, name
        seen.append(name)
    assert seen[:6] == [
        "Skip to content",
        "Bellwether",
        "Search markets",
        "Sign in",
        "Join",
        "Weather",
    ]
    assert seen[6:10] == ["1H", "1D", "1W", "All"]
    assert "outcome" in seen
    settled(page, pages["home"])
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.closest('main') !== null")


def test_a_phone_shows_what_matters_above_the_fold(pages, browser):
    context = browser.new_context(viewport={"width": 390, "height": 844})
    page = context.new_page()
    settled(page, pages["two"])
    bar = page.locator(".bar").bounding_box()
    assert bar["y"] + bar["height"] == pytest.approx(844, abs=1)
    for selector in ("#head .meta", "h1", ".number.large", ".plot", ".ranges", ".two"):
        box = page.locator(selector).bounding_box()
        assert box["y"] + box["height"] <= bar["y"], selector
    page.locator(".bar").click()
    page.wait_for_function("document.activeElement.id === 'amount'")
    settled(page, pages["home"])
    assert page.locator(".cards .card").first.bounding_box()["y"] < 150
    context.close()
