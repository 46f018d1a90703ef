"""The browser writes every number as the server does."""

import random
import re

from markets.domain.amounts import MICRO, to_credits, to_percent
from markets.templatetags.market_text import gain, points
from tests.support.browser import needs_chromium

pytestmark = needs_chromium


def test_the_browser_writes_every_number_as_the_server_does(server, market, page):
    dice = random.Random(7)
    prices = [*range(0, 12_000, 7), *range(988_000, 1_000_001, 7)]
    prices += [dice.randrange(MICRO) for _ in range(5_000)] + list(range(5_000, MICRO, 10_000))
    amounts = [*range(0, 2 * MICRO, 4_999), *(10**n + d for n in range(16) for d in (-1, 0, 1))]
    amounts += [dice.randrange(10 ** dice.randrange(1, 16)) for _ in range(5_000)]
    amounts += [-amount for amount in amounts[::7]]
    changes = [dice.randrange(-MICRO, MICRO) for _ in range(3_000)] + [-500, -499, 499, 500, 0]
    held = [(n * MICRO // 10, price * 10_000) for n in range(1, 400) for price in range(1, 100, 7)]
    held += [(dice.randrange(10**12), dice.randrange(MICRO)) for _ in range(5_000)]
    page.goto(f"{server.url}{market.get_absolute_url()}")
    module = page.locator("link[rel=modulepreload], script[src*='live']").first.get_attribute("src")
    source = page.evaluate("async url => (await fetch(url)).text()", module)
    address = module.rsplit("/", 1)[0] + "/" + re.search(r"format[^\"']*\.js", source)[0]
    written = page.evaluate(
        """async ([url, prices, amounts, changes, held]) => {
            const {percent, credits, points, worthOf, gain} = await import(url);
            return [prices.map(percent), amounts.map(credits), changes.map(c => points(c, "pts")),
                    held.map(([shares, price]) => credits(worthOf(shares, price))), amounts.map(gain)];
        }""",
        [address, prices, amounts, changes, held],
    )
    expected = [
        [to_percent(price) for price in prices],
        [to_credits(amount) for amount in amounts],
        [points(change) for change in changes],
        [to_credits(shares * price // MICRO) for shares, price in held],
        [gain(amount) for amount in amounts],
    ]
    given = [prices, amounts, changes, held, amounts]
    for values, ours, theirs in zip(given, expected, written, strict=True):
        different = [(v, a, b) for v, a, b in zip(values, ours, theirs, strict=True) if a != b]
        assert not different[:5], f"{len(different)} of {len(values)}"
