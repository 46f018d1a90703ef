"""Trading as the server sees it: forms in two steps, without JavaScript."""

import asyncio
import html
import re
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from django.conf import settings
from django.utils import timezone

from config.asgi import application
from markets.domain.amounts import MICRO, to_credits, to_percent, to_text
from markets.domain.text import OutcomeDraft
from markets.infra.threads import in_thread
from markets.models import Account, Market, Position, Trade
from markets.services import catalogue, lifecycle
from tests.support import factory
from tests.support.clock import NOW
from tests.support.forms import fields_of, words
from tests.support.people import person, sign_in

PAGE = "/markets/will-it-rain"
PLACE = 'id="place"'
AMOUNT_HELP = "Write the amount as a number, such as 25 or 12.5."
CHANCE_HELP = "Give a chance between 0 and 100 %, such as 65."


@pytest.fixture
async def trader(client, bob, market):
    """Bob, signed in, before the market of Yes and No at 50 %."""
    await sign_in(client, "bob")
    return client


@pytest.fixture
def deep(make_market):
    """A market that takes large amounts."""
    return make_market("Deep?", liquidity=10_000 * MICRO)


async def quoted(client, page=PAGE, **typed):
    """Step one: the form, sent by GET."""
    answer = await client.get(page, params=typed)
    assert answer.status_code == 200
    return answer


def button(answer):
    """What the button of step two would send."""
    assert PLACE in answer.text, words(answer)
    return fields_of(answer, PLACE)


async def press(client, form, page=PAGE, **headers):
    return await client.post(f"{page}/trade", data=form, headers=headers)


async def buys(client, page=PAGE, **typed):
    """Both steps; returns the page that says what was done."""
    answer = await press(client, button(await quoted(client, page, **typed)), page)
    assert answer.status_code == 302, words(answer)
    return await client.get(answer.headers["Location"])


def typed_in(answer, name):
    return html.unescape(re.search(rf'<input id="{name}"[^>]*value="([^"]*)"', answer.text)[1])


def said(answer):
    """The sentence in which the page says what stands in the way."""
    return html.unescape(re.search(r'<p class="notice[^"]*" role="alert">([^<]*)<', answer.text)[1])


def outcomes(name="Will it rain?"):
    return list(Market.objects.get(name=name).outcomes.order_by("position"))


def others_buy(amount, label="Yes"):
    """Somebody else moves the price."""
    other = person(f"other{Trade.objects.count()}")
    market = Market.objects.get(name="Will it rain?")
    outcome = market.outcomes.get(label=label)
    factory.trade(other, market, factory.order(outcome, amount=amount * MICRO))


def trades(name="bob"):
    return list(Trade.objects.filter(trader__username=name).order_by("pk"))


def price_now():
    return Market.objects.get(name="Will it rain?").priced()[0][1]


# --- Two steps ---


async def test_an_order_takes_two_steps_and_the_button_says_all_of_it(trader):
    page = await quoted(trader, amount="25")
    for told in ("You get", "Costs 25 cr", "Price moves 50% → ", "Pays if right", "Buy Yes for 25"):
        assert told in words(page)
    assert not await in_thread(trades), "looking costs nothing"
    done = await buys(trader, amount="25")
    (trade,) = await in_thread(trades)
    bought = to_credits(trade.shares)
    assert f"Bought {bought} Yes for 25 credits." in words(done)
    assert 'id="balance" data-island data-exact="975">975</b>' in done.text
    assert f"Yes {bought} " in words(done).split("Your position")[1]


async def test_the_first_trade_of_a_person_begins_with_the_starting_grant(trader):
    assert "of 1,000 cr" in words(await quoted(trader))
    assert not await in_thread(Account.objects.filter(user__username="bob").exists)
    await buys(trader, amount="25")
    left = await in_thread(lambda: Account.objects.get(user__username="bob").balance)
    assert left == settings.STARTING_GRANT - 25 * MICRO


async def test_a_sale_takes_the_same_two_steps(trader):
    await buys(trader, amount="25")
    (bought,) = await in_thread(trades)
    page = await quoted(trader, side="sell", amount=to_text(bought.shares))
    assert f"You sell {to_credits(bought.shares)} shares of Yes" in words(page)
    assert "Pays if right" not in words(page)
    done = await buys(trader, side="sell", amount=to_text(bought.shares))
    assert "Sold " in words(done)
    assert "You hold no shares here now." in words(done)


async def test_more_than_one_holds_is_not_sold(trader):
    assert said(await quoted(trader, side="sell", amount="5")) == (
        "You hold no shares of “Yes” to sell."
    )
    await buys(trader, amount="25")
    (bought,) = await in_thread(trades)
    page = await quoted(trader, side="sell", amount="500")
    assert f"You hold {to_credits(bought.shares)} shares of “Yes”: sell at most those." == said(
        page
    )
    assert typed_in(page, "amount") == "500"
    assert PLACE not in page.text


async def test_max_is_all_that_one_has_and_all_that_one_holds(trader):
    await buys(trader, amount="25")
    (bought,) = await in_thread(trades)
    page = await quoted(trader)
    assert 'data-max="975"' in page.text
    assert f'data-held="{to_text(bought.shares)}"' in page.text
    told = said(await quoted(trader, amount="975"))
    assert told.startswith("That would take the price too far: try a smaller amount. At most ")
    most = re.search(r"At most (\d+) can be spent here", told)[1]
    assert f"Buy Yes for {most}" in words(await quoted(trader, amount=most))


async def test_more_than_one_has_is_not_spent(client, bob, deep):
    await sign_in(client, "bob")
    assert "Buy Yes for 1,000" in words(await quoted(client, "/markets/deep", amount="1,000"))
    page = await quoted(client, "/markets/deep", amount="1000.01")
    assert said(page) == "That costs 1,000.01 credits, and you have 1,000: try less, or Max."
    assert PLACE not in page.text


async def test_an_outcome_that_looks_like_a_number_stands_in_quotes(client, bob, make_market):
    labels = [OutcomeDraft(label) for label in ("6", "7 or more")]
    await in_thread(make_market, "How many goals?", outcomes=labels)
    await sign_in(client, "bob")
    goals = "/markets/how-many-goals"
    page = words(await quoted(client, goals, amount="25"))
    assert "Buy “6” for 25" in page
    assert "shares of “6”" in page
    done = await buys(client, goals, amount="25")
    assert re.search(r"Bought [\d.]+ “6” for 25 c", words(done))


async def test_who_joins_comes_back_to_what_they_chose_and_typed(client, market):
    _yes, no = await in_thread(outcomes)
    page = await quoted(client, outcome=no.pk, amount="37;5")
    assert f"%3Foutcome%3D{no.pk}%26" in page.text
    assert "amount%3D37" in page.text


# --- From the opinion ---


async def test_an_opinion_above_the_price_buys_up_to_it(trader):
    page = await quoted(trader, chance="65")
    assert "Price moves 50% → 65%" in words(page)
    await buys(trader, chance="65 %")
    assert to_percent(await in_thread(price_now)) == "65%"


async def test_an_opinion_below_the_price_buys_the_other_of_two(trader):
    page = await quoted(trader, chance="40")
    assert "shares of No" in words(page)
    assert "Buy No for" in words(page)
    await buys(trader, chance="40")
    assert to_percent(await in_thread(price_now)) == "40%"


async def test_an_opinion_below_the_price_sells_what_one_holds_first(trader):
    await buys(trader, chance="65")
    page = await quoted(trader, chance="60")
    assert "You sell" in words(page)
    await buys(trader, chance="60")
    assert to_percent(await in_thread(price_now)) == "60%"
    short = "You hold too little to take the price that far: this sells all of it."
    assert short not in words(await quoted(trader, chance="55"))
    assert short in words(await quoted(trader, chance="20"))
    await buys(trader, chance="20")  # the rest is another order
    assert [trade.side for trade in await in_thread(trades)] == ["buy", "sell", "sell"]
    assert to_percent(await in_thread(price_now)) == "50%"


async def test_an_opinion_below_the_price_of_one_of_many_sells_or_says_what_to_do(
    client, bob, make_market
):
    await in_thread(
        make_market, "Who wins?", outcomes=[OutcomeDraft(label) for label in ("A", "B", "C")]
    )
    await sign_in(client, "bob")
    a, b, _ = await in_thread(outcomes, "Who wins?")
    who = "/markets/who-wins"
    page = await quoted(client, who, outcome=a.pk, chance="10")
    assert said(page) == (
        "You hold none of “A” to sell. If you think it is less likely, buy another."
    )
    assert typed_in(page, "chance") == "10"
    await buys(client, who, outcome=b.pk, chance="50")
    page = await quoted(client, who, outcome=b.pk, chance="40")
    assert "You sell" in words(page)
    assert "Price moves 50% → 40%" in words(page)


async def test_an_opinion_that_the_price_shares_already_has_nothing_to_trade(trader):
    page = await quoted(trader, chance="50")
    assert said(page) == "The price is 50% already: there is nothing to trade."


# --- Guards ---


@pytest.mark.parametrize("fetched", [False, True])
async def test_a_price_that_moved_is_asked_about_and_the_second_press_trades(trader, fetched):
    headers = {"X-Fetched": "1"} if fetched else {}
    form = button(await quoted(trader, amount="25"))
    await in_thread(others_buy, 10, "No")  # cheaper than what was shown: nobody minds
    assert not await in_thread(trades)
    form = button(await quoted(trader, amount="25"))
    await in_thread(others_buy, 20)
    now = to_percent(await in_thread(price_now))
    asked = await press(trader, form, **headers)
    assert (asked.status_code, said(asked)) == (200, f"It is {now} now. Buy anyway?")
    assert not await in_thread(trades)
    done = await press(trader, button(asked), **headers)
    assert done.status_code == (200 if fetched else 302)
    assert len(await in_thread(trades)) == 1


async def test_a_better_price_is_taken_without_a_question(trader):
    form = button(await quoted(trader, amount="25"))
    await in_thread(others_buy, 20, "No")
    assert (await press(trader, form)).status_code == 302


async def test_a_sale_is_guarded_too(trader):
    await buys(trader, amount="25")
    form = button(await quoted(trader, side="sell", amount="10"))
    await in_thread(others_buy, 20, "No")
    asked = await press(trader, form)
    assert said(asked).endswith("now. Sell anyway?")
    assert (await press(trader, button(asked))).status_code == 302


async def test_only_a_large_trade_is_asked_about(trader):
    asked = await press(trader, button(await quoted(trader, chance="81")))
    assert said(asked) == "This moves the price from 50% to 81%. Are you sure?"
    assert not await in_thread(trades)
    assert (await press(trader, button(asked))).status_code == 302


async def test_a_trade_of_half_of_what_one_has_is_asked_about(client, bob, deep):
    await sign_in(client, "bob")
    asked = await press(
        client, button(await quoted(client, "/markets/deep", amount="500")), "/markets/deep"
    )
    assert said(asked) == "This spends 500 of your 1,000 credits. Are you sure?"
    form = button(await quoted(client, "/markets/deep", amount="499"))
    assert (await press(client, form, "/markets/deep")).status_code == 302


async def test_a_market_that_closes_between_quote_and_press_says_so(trader, market):
    form = button(await quoted(trader, amount="25"))
    await in_thread(lifecycle.pause_market, market_id=market.pk, actor=None, now=NOW)
    answer = await press(trader, form)
    assert answer.status_code == 200
    assert "Nobody can trade here now: it is paused." in words(answer)
    fetched = await press(trader, form, **{"X-Fetched": "1"})
    assert "Nobody can trade here now: it is paused." in words(fetched)
    assert not await in_thread(trades)


async def test_a_market_past_its_closing_time_says_so_before_the_clock_has_closed_it(
    trader, market
):
    form = button(await quoted(trader, amount="25"))
    await in_thread(
        lambda: Market.objects.filter(pk=market.pk).update(
            close_at=timezone.now() - timedelta(seconds=1)
        )
    )
    answer = await press(trader, form)
    assert "Nobody can trade here now: it has closed." in words(answer)
    assert not await in_thread(trades)


# --- Once ---


async def test_the_same_form_twice_trades_once(trader):
    form = button(await quoted(trader, amount="25"))
    assert (await press(trader, form)).status_code == 302
    again = await press(trader, form)
    assert again.status_code == 302, words(again)
    page = await trader.get(again.headers["Location"])
    assert "This order was carried out before. Bought " in words(page)
    assert len(await in_thread(trades)) == 1


async def test_a_double_click_trades_once(trader):
    form = button(await quoted(trader, amount="25"))
    answers = await asyncio.gather(*(press(trader, form) for _ in range(4)))
    assert {answer.status_code for answer in answers} == {302}
    assert len(await in_thread(trades)) == 1


async def test_the_same_large_order_twice_trades_once(trader):
    """The second press finds neither the price nor the balance that the first one saw."""
    form = button(await press(trader, button(await quoted(trader, amount="400"))))
    assert (await press(trader, form)).status_code == 302
    page = await press(trader, form)
    if page.status_code == 302:
        page = await trader.get(page.headers["Location"])
    assert "carried out before" in words(page)
    assert len(await in_thread(trades)) == 1


async def test_the_order_id_of_another_order_is_told_and_nothing_is_lost(trader):
    form = button(await quoted(trader, amount="25"))
    await press(trader, form)
    other = await press(trader, {**form, "amount": "30", "seen": "0.7"})
    assert other.status_code == 200
    assert said(other).startswith("Your order before this one went through: Bought ")
    assert "Press again to trade once more." in said(other)
    assert button(other)["amount"] == "30"
    assert len(await in_thread(trades)) == 1
    assert (await press(trader, button(other))).status_code == 302
    assert len(await in_thread(trades)) == 2


async def test_the_same_opinion_twice_trades_once(trader):
    form = button(await quoted(trader, chance="65"))
    for _ in range(2):
        answer = await press(trader, form)
        assert answer.status_code == 302, words(answer)
    assert "carried out before" in words(await trader.get(answer.headers["Location"]))
    assert len(await in_thread(trades)) == 1


async def test_two_requests_spend_the_last_credits_once(client, bob, deep):
    await sign_in(client, "bob")
    forms = [button(await quoted(client, "/markets/deep", amount="600")) for _ in range(2)]
    assert forms[0]["order"] != forms[1]["order"]
    answers = await asyncio.gather(
        *(press(client, {**form, "sure": "1"}, "/markets/deep") for form in forms)
    )
    assert sorted(answer.status_code for answer in answers) == [200, 302]
    told = said(next(answer for answer in answers if answer.status_code == 200))
    assert re.fullmatch(
        r"That costs (600|599\.99|599) credits, and you have 40\d: try less, or Max\.", told
    ), told
    assert len(await in_thread(trades)) == 1


# --- What people type ---

AMOUNTS = [
    ("0", "Give more than 0."),
    ("0.0", "Give more than 0."),
    ("-5", AMOUNT_HELP),
    ("1e9", AMOUNT_HELP),
    ("٣", AMOUNT_HELP),
    ("all", AMOUNT_HELP),
    ("1,0000", AMOUNT_HELP),
    (".", AMOUNT_HELP),
    ("0x10", AMOUNT_HELP),
    ("NaN", AMOUNT_HELP),
    ("1.1234567", AMOUNT_HELP),
    ("<b>25</b>", AMOUNT_HELP),
    ("0.000001", "The smallest trade is"),
    ("999999999", "you have 1,000: try less, or Max."),
    ("9999999999", "That is more than there is: try a smaller amount."),
    ("9" * 10_000, "That is more than there is: try a smaller amount."),
]


@pytest.mark.parametrize(("amount", "told"), AMOUNTS, ids=[amount[:10] for amount, _ in AMOUNTS])
async def test_a_bad_amount_is_answered_with_a_sentence_and_stays(trader, amount, told):
    page = await quoted(trader, amount=amount)
    assert told in said(page)
    assert typed_in(page, "amount") == amount[:40]
    assert PLACE not in page.text
    form = button(await quoted(trader, amount="25"))
    answer = await press(trader, {**form, "amount": amount})
    assert (answer.status_code, told in said(answer)) == (200, True)
    assert typed_in(answer, "amount") == amount[:40]
    assert not await in_thread(trades)


@pytest.mark.parametrize(
    ("amount", "cost"),
    [
        ("0,100", "100"),
        ("0025", "25"),
        ("25 cr", "25"),
        ("25cr", "25"),
        (" 25 ", "25"),
        ("12,5", "12.5"),
        ("1,05", "1.05"),
        ("25.", "25"),
        (".5", "0.5"),
        ("1 00", "100"),
    ],
)
async def test_an_amount_may_be_written_as_people_write_it(trader, amount, cost):
    assert f"Buy Yes for {cost}" in words(await quoted(trader, amount=amount))


@pytest.mark.parametrize(
    "chance", ["0", "100", "101", "-3", "abc", "100%", "1e1", "٣", "9" * 10_000]
)
async def test_a_chance_that_is_none_is_answered_with_a_sentence_and_stays(trader, chance):
    page = await quoted(trader, chance=chance)
    assert said(page) == CHANCE_HELP
    assert typed_in(page, "chance") == chance[:40]
    form = button(await quoted(trader, amount="25"))
    answer = await press(trader, {**form, "amount": "", "chance": chance})
    assert (answer.status_code, said(answer)) == (200, CHANCE_HELP)
    assert not await in_thread(trades)


@pytest.mark.parametrize(
    ("chance", "told"),
    [("65%", "50% → 65%"), (" 65.5 % ", "50% → 66%"), ("0.001", "Price moves 50% → ")],
)
async def test_a_chance_may_be_written_as_people_write_it(trader, chance, told):
    """A chance beyond what prices can be takes the price as far as it goes."""
    assert told in words(await quoted(trader, chance=chance))


async def test_amount_and_chance_together_are_asked_to_be_one(trader):
    page = await quoted(trader, amount="25", chance="65")
    assert said(page) == "Give an amount or a chance, not both: clear one of them."
    assert (typed_in(page, "amount"), typed_in(page, "chance")) == ("25", "65")


async def test_nul_is_refused_and_nothing_breaks(trader):
    form = button(await quoted(trader, amount="25"))
    assert (await trader.get(f"{PAGE}?amount=%00")).status_code == 400
    for name in ("amount", "chance", "outcome", "side", "order", "seen"):
        answer = await press(trader, {**form, name: "2\0"})
        assert 'role="alert">' in answer.text, (name, words(answer))
    assert not await in_thread(trades)


# --- Tampered forms ---


@pytest.mark.parametrize("seen", [None, "", "abc", "-1", "0", "1", "7", "1e-1", "0.5\0"])
async def test_without_the_price_that_was_shown_one_is_asked_to_look(trader, seen):
    form = button(await quoted(trader, amount="25"))
    form.pop("seen")
    answer = await press(trader, form if seen is None else {**form, "seen": seen})
    assert said(answer) == "Look at the figures first, then press once more."
    assert button(answer)["amount"] == "25"
    assert not await in_thread(trades)
    assert (await press(trader, button(answer))).status_code == 302


@pytest.mark.parametrize("outcome", ["another", "99999999", "-1", "abc", "", None])
async def test_an_outcome_that_is_not_here_is_never_traded(trader, make_market, outcome):
    """The panel falls back to the first outcome, so the press must not go through silently."""
    other = await in_thread(make_market, "Will it snow?")
    foreign = await in_thread(lambda: other.outcomes.last().pk)
    form = button(await quoted(trader, amount="25"))
    form.pop("outcome")
    if outcome is not None:
        form["outcome"] = str(foreign) if outcome == "another" else outcome
    answer = await press(trader, form)
    assert answer.status_code == 200
    assert said(answer)
    assert not await in_thread(trades)


@pytest.mark.parametrize("side", ["steal", "", None])
async def test_a_side_that_is_none_is_never_traded(trader, side):
    form = button(await quoted(trader, amount="25"))
    form.pop("side")
    answer = await press(trader, form if side is None else {**form, "side": side})
    assert answer.status_code == 200
    assert said(answer)
    assert not await in_thread(trades)


@pytest.mark.parametrize("order", ["x" * 10_000, "\n", "\u202e", ""])
async def test_an_odd_order_id_breaks_nothing(trader, order):
    form = button(await quoted(trader, amount="25"))
    answer = await press(trader, {**form, "order": order})
    assert said(answer) == "Look at the figures first, then press once more."
    assert not await in_thread(trades)
    assert (await press(trader, button(answer))).status_code == 302


async def test_a_form_without_its_token_is_refused_with_a_way_on(trader):
    form = button(await quoted(trader, amount="25"))
    del form["csrfmiddlewaretoken"]
    answer = await press(trader, form)
    assert answer.status_code == 403
    assert not await in_thread(trades)


async def test_a_draft_and_an_unknown_market_cannot_be_traded(trader, make_market):
    form = button(await quoted(trader, amount="25"))
    await in_thread(make_market, "Secret?", status="draft")
    for slug in ("secret", "unknown"):
        answer = await press(trader, form, f"/markets/{slug}")
        assert answer.status_code == 404
        assert "There is nothing here" in answer.text


async def test_the_address_of_the_button_leads_back_to_the_market(trader):
    answer = await trader.get(f"{PAGE}/trade")
    assert (answer.status_code, answer.headers["Location"]) == (302, PAGE)


# --- Who is not signed in ---


async def test_a_stranger_sees_the_quote_and_is_led_to_join_with_the_order_kept(client, market):
    page = await quoted(client, amount="25", side="buy")
    assert "You get" in words(page)
    assert PLACE not in page.text
    link = html.unescape(re.search(r'<a class="button" href="([^"]*)">Join to trade', page.text)[1])
    target = parse_qs(urlsplit(link).query)["next"][0]
    assert urlsplit(target).path == PAGE
    assert parse_qs(urlsplit(target).query)["amount"] == ["25"]


@pytest.mark.parametrize("cookies", ["session", "all"])
@pytest.mark.parametrize("fetched", [False, True])
async def test_whose_session_has_ended_signs_in_and_comes_back_to_the_order(
    trader, fetched, cookies
):
    form = button(await quoted(trader, amount="25"))
    trader.cookies.delete("sessionid")
    if cookies == "all":
        trader.cookies.clear()
    answer = await press(trader, form, **({"X-Fetched": "1"} if fetched else {}))
    assert answer.status_code == (204 if fetched else 302)
    to = answer.headers["X-Go" if fetched else "Location"]
    assert to.startswith("/account/login/?next=")
    back = parse_qs(urlsplit(to).query)["next"][0]
    assert urlsplit(back).fragment == "panel"
    assert not await in_thread(trades)
    await sign_in(trader, "bob")
    page = await trader.get(back.split("#")[0])
    assert typed_in(page, "amount") == "25"
    assert (await press(trader, button(page))).status_code == 302
    assert len(await in_thread(trades)) == 1


async def test_a_stranger_without_cookies_cannot_trade_by_another_site(client, market):
    """A form of another site leads to signing in at most."""
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app=application), base_url="http://testserver"
    ) as stranger:
        answer = await stranger.post(f"{PAGE}/trade", data={"amount": "25"})
    assert answer.status_code == 302
    assert answer.headers["Location"].startswith("/account/login/")
    assert not await in_thread(Position.objects.exists)


async def test_an_edit_of_a_label_does_not_break_an_open_form(trader, market):
    form = button(await quoted(trader, amount="25"))
    await in_thread(
        catalogue.edit_market, market_id=market.pk, actor=None, now=NOW, changes={"name": "Sun?"}
    )
    answer = await press(trader, form)
    assert answer.status_code == 302


async def test_an_opinion_never_spends_more_than_its_button_said(trader):
    """The price moves away while a question stands: the same chance would take more credits."""
    form = button(await quoted(trader, chance="75"))
    await in_thread(others_buy, 8, "No")
    asked = await press(trader, {**form, "sure": "1"})
    assert "now. Buy anyway?" in said(asked)
    assert not await in_thread(trades)
    placed = await press(trader, button(asked))
    assert placed.status_code == 302, words(placed)
    (trade,) = await in_thread(trades)
    assert to_credits(trade.cost) in words(asked)
