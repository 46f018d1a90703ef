"""What a market's page weighs, how soon it is seen, and that nothing on it jumps."""

from typing import Any

from django.utils import timezone
from playwright.sync_api import Browser

from markets.domain.amounts import MICRO
from markets.models import Market
from tests.support.browser import needs_chromium
from tests.support.factory import order, trade, yes_no
from tests.support.showcase import showcase

pytestmark = needs_chromium

MOST_BYTES = 60_000  # of a market's page with everything on it, over the wire
MOST_SHIFT = 0.01
SLOWER = 2.5  # than an empty page of the same site, at most
WATCH = """
  window.shift = 0; window.largest = 0;
  new PerformanceObserver(list => { for (const entry of list.getEntries()) window.shift += entry.value; }).observe({type: "layout-shift", buffered: true});
  new PerformanceObserver(list => { for (const entry of list.getEntries()) window.largest = entry.startTime; }).observe({type: "largest-contentful-paint", buffered: true});
"""


def first_visit(browser: Browser, *, slow: bool = False) -> tuple[Any, list[float]]:
    """A phone that has never been here; give its page, and the bytes of each answer as they come."""
    page = browser.new_context(viewport={"width": 390, "height": 844}).new_page()
    page.add_init_script(WATCH)
    client, sizes = page.context.new_cdp_session(page), []
    client.send("Network.enable")
    client.on("Network.loadingFinished", lambda event: sizes.append(event["encodedDataLength"]))
    if slow:
        line = {"offline": False, "latency": 150, "uploadThroughput": 93_750}
        client.send("Network.emulateNetworkConditions", line | {"downloadThroughput": 200_000})
        client.send("Emulation.setCPUThrottlingRate", {"rate": 4})
    return page, sizes


def test_a_market_s_page_is_light_and_nothing_on_it_jumps(server, world, browser):
    addresses = showcase()
    for name in ("many", "two", "mean"):
        page, sizes = first_visit(browser)
        page.goto(server.url + addresses[name])
        page.locator(".pulse.live").first.wait_for(state="attached", timeout=30_000)
        print(f"{name}: {sum(sizes):,.0f} bytes in {len(sizes)} answers")  # noqa: T201
        assert sum(sizes) <= MOST_BYTES
        market = Market.objects.get(pk=page.locator("[data-live]").get_attribute("data-market"))
        zoe = market.trades.first().trader
        for outcome in yes_no(market)[:2]:
            volume = page.locator("[data-volume]").first.inner_text()
            trade(zoe, market, order(outcome, shares=12 * MICRO), now=timezone.now())
            page.wait_for_function(
                "was => document.querySelector('[data-volume]').innerText !== was",
                arg=volume,
                timeout=30_000,
            )
        page.wait_for_timeout(500)
        assert page.evaluate("window.shift") <= MOST_SHIFT, name
        page.context.close()


def test_the_list_does_not_jump(server, world, browser):
    showcase()
    page, _sizes = first_visit(browser)
    page.goto(server.url)
    page.locator(".pulse.live").first.wait_for(state="attached", timeout=30_000)
    assert page.evaluate("window.shift") <= MOST_SHIFT
    page.context.close()


def test_a_market_is_seen_about_as_soon_as_an_empty_page_on_a_slow_phone(server, world, browser):
    addresses, seen = showcase(), {}
    for name in ("none", "many"):
        page, _sizes = first_visit(browser, slow=True)
        page.goto(server.url + addresses[name], wait_until="load", timeout=60_000)
        page.wait_for_function("window.largest > 0", timeout=30_000)
        page.wait_for_timeout(500)
        seen[name] = page.evaluate("window.largest")
        page.context.close()
    print(f"Largest paint: {seen['many']:.0f} ms, of an empty page {seen['none']:.0f} ms")  # noqa: T201
    assert seen["many"] <= SLOWER * seen["none"]
