"""The number on the page is always the number in the API; tests/journeys/test_numbers.py asks the browser the same."""

import html
import random
import re

from markets.domain.amounts import MICRO, to_credits, to_micro, to_percent
from markets.domain.errors import Refused
from markets.domain.text import OutcomeDraft
from markets.infra.threads import in_thread
from markets.models import Market
from tests.support import factory
from tests.support.people import person, sign_in

STEPS = 25
SHOWN = re.compile(r'data-price="(\d+)">([^<]*)<')


def trade_at_random(dice, people, market):
    outcome = dice.choice(list(market.outcomes.all()))
    size = dice.choice([10_000, 500_000, 7 * MICRO, 120 * MICRO])
    what = dice.choice(
        [
            {"amount": size},
            {"shares": size},
            {"target_price": dice.randrange(2_000, 998_000)},
        ]
    )
    side = dice.choice(["buy", "buy", "sell"])
    try:
        factory.trade(dice.choice(people), market, factory.order(outcome, side, **what))
    except Refused:
        return False
    return True


async def test_after_random_trades_every_number_of_the_pages_is_the_api_s(client, make_market, bob):
    def begin():
        many = [OutcomeDraft("A", 3_000), OutcomeDraft("B"), OutcomeDraft("C"), OutcomeDraft("D")]
        return [
            make_market("Two?"),
            make_market("Many?", outcomes=many),
            make_market("Sure?", outcomes=[OutcomeDraft("Yes", 996_500), OutcomeDraft("No")]),
        ], [bob, person("carol"), person("dave")]

    markets, people = await in_thread(begin)
    await sign_in(client, "bob")
    dice, made, compared = random.Random(12), 0, 0
    while made < STEPS:
        market = dice.choice(markets)
        if not await in_thread(trade_at_random, dice, people, market):
            continue
        made += 1
        read = (await client.get(f"/api/v1/markets/{market.pk}")).json()
        said = {outcome["id"]: outcome for outcome in read["outcomes"]}
        for address in ("/", f"/markets/{market.slug}"):
            shown = (await client.get(address)).text
            here = [
                (int(pk), html.unescape(text))
                for pk, text in SHOWN.findall(shown)
                if int(pk) in said
            ]
            assert here
            for pk, text in here:
                assert text == to_percent(to_micro(said[pk]["price"])), (made, address, said[pk])
                compared += 1
        volume = to_credits(to_micro(read["volume"]))
        assert set(re.findall(r"data-volume>([^<]*)<", shown)) == {volume}
        traders = re.findall(r"data-traders>(\d+)<", shown)
        assert set(traders) == {str(read["trader_count"])}
        mine = (await client.get("/api/v1/me")).json()
        exact, told = mine["balance"], to_credits(to_micro(mine["balance"]))
        assert f'id="balance" data-island data-exact="{exact}">{told}</b>' in shown
    assert compared > 5 * STEPS


async def test_an_opinion_takes_the_number_of_the_page_exactly_there(client, make_market, bob):
    """Whole percents, as people type them: what the page shows then is what was typed."""
    market = await in_thread(make_market, "Two?")
    await sign_in(client, "bob")
    first = await in_thread(lambda: market.outcomes.first())
    for chance in (51, 64, 37, 80, 12):
        size = {"target_price": chance * 10_000}
        fresh = await in_thread(lambda: Market.objects.get(pk=market.pk).priced()[0][1])
        outcome = first
        if chance * 10_000 < fresh:
            outcome = await in_thread(lambda: market.outcomes.last())
            size = {"target_price": MICRO - chance * 10_000}
        await in_thread(factory.trade, bob, market, factory.order(outcome, **size))
        shown = (await client.get(f"/markets/{market.slug}")).text
        assert (str(first.pk), f"{chance}%") in SHOWN.findall(shown)
