"""Trading through the services: money, holdings, guards."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from markets.domain import errors
from markets.domain.amounts import MICRO, to_text
from markets.domain.orders import Order
from markets.domain.pricing import worst_loss
from markets.models import Account, JournalEntry, Position
from markets.presenters.event import present_event
from markets.services import ledger, lifecycle, resolution, trading
from tests.support.clock import NOW
from tests.support.factory import balance, order, state, trade, yes_no

pytestmark = pytest.mark.usefixtures("the_audit_is_clean")


def test_a_new_trader_begins_with_the_starting_grant(bob, settings):
    ledger.open_account(user=bob, now=NOW)
    ledger.open_account(user=bob, now=NOW)
    assert balance(bob) == settings.STARTING_GRANT == 1000 * MICRO
    assert Account.objects.get(kind="issuance").balance == -1000 * MICRO


def test_a_market_that_opens_is_given_what_it_can_lose(make_market):
    market = make_market(status="draft", liquidity=50 * MICRO)
    assert not Account.objects.filter(market=market).exists()
    lifecycle.open_market(market_id=market.pk, actor=None, now=NOW)
    assert market.account.balance == worst_loss([500_000, 500_000], 50 * MICRO)
    lifecycle.pause_market(market_id=market.pk, actor=None, now=NOW)
    lifecycle.open_market(market_id=market.pk, actor=None, now=NOW)
    market.account.refresh_from_db()
    assert market.account.balance == worst_loss([500_000, 500_000], 50 * MICRO), "only once"


def test_a_buy_moves_money_shares_and_prices(market, bob):
    yes, _ = yes_no(market)
    before = Account.objects.get(market=market).balance
    bought, made = trade(bob, market, order(yes, shares=100 * MICRO))
    assert made
    assert (bought.shares, bought.side, bought.price_before) == (100 * MICRO, "buy", 500_000)
    assert bought.price_after == 731_059
    assert balance(bob) == 1000 * MICRO - bought.cost
    assert Account.objects.get(market=market).balance == before + bought.cost
    market.refresh_from_db()
    yes.refresh_from_db()
    assert (yes.shares, market.volume, market.trade_count, market.trader_count) == (
        100 * MICRO,
        bought.cost,
        1,
        1,
    )
    held = Position.objects.get(trader=bob)
    assert (held.shares, held.cost_basis, held.realised, held.net_cost) == (
        100 * MICRO,
        bought.cost,
        0,
        bought.cost,
    )


def test_a_sale_pays_and_counts_the_profit(market, bob, alice):
    yes, _ = yes_no(market)
    mine, _ = trade(bob, market, order(yes, shares=100 * MICRO))
    trade(alice, market, order(yes, shares=100 * MICRO))
    sold, _ = trade(bob, market, order(yes, "sell", shares=50 * MICRO))
    held = Position.objects.get(trader=bob)
    assert held.cost_basis == mine.cost - mine.cost // 2
    assert held.realised == sold.cost - mine.cost // 2 > 0
    assert balance(bob) == 1000 * MICRO - mine.cost + sold.cost
    trade(bob, market, order(yes, "sell", shares=50 * MICRO))
    held.refresh_from_db()
    assert (held.shares, held.cost_basis) == (0, 0)


def test_an_amount_buys_for_at_most_that_much_and_a_sale_raises_at_least_that_much(market, bob):
    yes, no = yes_no(market)
    bought, _ = trade(bob, market, order(yes, amount=25 * MICRO))
    assert 25 * MICRO - 3 <= bought.cost <= 25 * MICRO
    sold, _ = trade(bob, market, order(yes, "sell", amount=10 * MICRO))
    assert 10 * MICRO <= sold.cost <= 10 * MICRO + 3


def test_a_target_price_is_taken_up_to_and_down_to(market, bob):
    yes, _ = yes_no(market)
    bought, _ = trade(bob, market, order(yes, target_price=620_000), key="up")
    assert (bought.price_before, bought.price_after) == (500_000, 620_000)
    sold, _ = trade(bob, market, order(yes, "sell", target_price=550_000, min_price=580_000))
    assert (sold.price_after, sold.shares < bought.shares) == (550_000, True)
    again, made = trade(bob, market, order(yes, target_price=620_000), key="up")
    assert (again.pk, made) == (bought.pk, False), "an order, not a wish for the price of later"
    with pytest.raises(errors.IdempotencyConflict):
        trade(bob, market, order(yes, target_price=620_001), key="up")


def test_a_price_that_is_there_already_is_said(market, bob):
    yes, _ = yes_no(market)
    trade(bob, market, order(yes, target_price=620_000))
    with pytest.raises(errors.TargetReached, match=r"The price is 62% already"):
        trade(bob, market, order(yes, target_price=620_000))


def test_every_trade_is_an_event_that_says_all_but_whose_it_was(market, bob):
    yes, no = yes_no(market)
    bought, _ = trade(bob, market, order(yes, shares=100 * MICRO))
    event = market.events.last()
    assert (event.type, event.seq, event.actor, event.pending) == ("trade", 2, bob, False)
    message = present_event(event)
    assert message["prices"] == {str(yes.pk): "0.731059", str(no.pk): "0.268941"}
    assert (message["trade_id"], message["shares"], message["side"]) == (bought.pk, "100", "buy")
    assert "bob" not in str(message)


def test_a_trades_message_tells_the_markets_figures_after_it(market, bob, alice):
    yes, no = yes_no(market)
    told = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trading.events, "recorded", lambda message, **_: told.append(message))
        trade(bob, market, order(yes, shares=100 * MICRO))
        trade(alice, market, order(no, shares=10 * MICRO))
        trade(bob, market, order(yes, "sell", shares=40 * MICRO))
        for outcome, shares in ((yes, "60"), (no, "10")):
            outcome.refresh_from_db()
            last = [message for message in told if message["outcome_id"] == outcome.pk][-1]
            assert last["outcome_shares"] == to_text(outcome.shares) == shares
    market.refresh_from_db()
    assert (told[-1]["volume"], told[-1]["shares"]) == (to_text(market.volume), "40")
    assert [(one["trade_count"], one["trader_count"]) for one in told] == [(1, 1), (2, 2), (3, 2)]
    assert told == [present_event(event) for event in market.events.filter(type="trade")]


def test_the_same_order_again_gives_the_first_result(market, bob):
    yes, _ = yes_no(market)
    first, made = trade(bob, market, order(yes), key="k")
    again, made_again = trade(bob, market, order(yes), key="k")
    assert (made, made_again, again.pk) == (True, False, first.pk)
    before = state()
    with pytest.raises(errors.IdempotencyConflict):
        trade(bob, market, order(yes, shares=11 * MICRO), key="k")
    assert state() == before


def test_a_replay_works_after_the_market_has_closed(market, bob):
    yes, _ = yes_no(market)
    first, _ = trade(bob, market, order(yes), key="k")
    lifecycle.close_market(market_id=market.pk, actor=None, now=NOW + timedelta(hours=1))
    assert trade(bob, market, order(yes), key="k", now=NOW + timedelta(hours=2))[0].pk == first.pk


def test_one_key_in_two_markets_is_a_conflict(make_market, bob):
    first, second = make_market("A?"), make_market("B?")
    trade(bob, first, order(yes_no(first)[0]), key="k")
    with pytest.raises(errors.IdempotencyConflict):
        trade(bob, second, order(yes_no(second)[0]), key="k")


def refused_orders(market, other, bob):
    yes, no = yes_no(market)
    huge = 10**30
    return {
        errors.Invalid: [
            order(yes, shares=0), order(yes, shares=-1), order(yes, amount=0), order(yes, amount=-MICRO), order(yes, shares=huge),
            order(yes, shares=1, amount=1), Order(outcome_id=yes.pk, side="buy"), order(yes, "short", shares=MICRO),
            order(yes, shares=MICRO, min_proceeds=1), order(yes, "sell", shares=MICRO, max_cost=1),
            order(yes, "sell", shares=MICRO, max_price=1), order(yes, shares=MICRO, min_price=1),
            order(yes, shares=MICRO, target_price=600_000), order(yes, amount=MICRO, target_price=600_000), order(yes_no(other)[0]), Order(outcome_id=2**62, side="buy", shares=MICRO),
        ],
        errors.InsufficientFunds: [order(yes, shares=600 * MICRO)],
        errors.InsufficientShares: [order(no, "sell"), order(yes, "sell", shares=11 * MICRO), order(yes, "sell", amount=500 * MICRO), order(yes, "sell", target_price=499_000)],
        errors.SlippageExceeded: [
            order(yes, shares=MICRO, max_cost=1000), order(yes, shares=MICRO, max_price=500_000),
            order(yes, "sell", shares=MICRO, min_proceeds=MICRO), order(yes, "sell", shares=MICRO, min_price=530_000),
            order(yes, target_price=540_000, max_price=530_000),
        ],
        errors.TradeTooSmall: [order(yes, shares=1), order(yes, amount=1), order(yes, "sell", shares=9_999)],
        errors.PriceOutOfRange: [order(yes, shares=700 * MICRO), order(yes, target_price=999_001), order(yes, "sell", target_price=999)],
        errors.TargetReached: [order(yes, target_price=520_000), order(yes, "sell", target_price=530_000)],
    }  # fmt: skip


def test_an_order_that_cannot_be_is_refused_and_touches_nothing(make_market, bob):
    market, other = make_market(), make_market("Other?")
    trade(bob, market, order(yes_no(market)[0]))
    ledger.grant(user=bob, amount=-900 * MICRO, actor=None, now=NOW, reason="Poorer")
    before = state()
    ledger_rows = refused_orders(market, other, bob)
    for error, orders in ledger_rows.items():
        for wrong in orders:
            with pytest.raises(error):
                trade(bob, market, wrong)
            assert state() == before, wrong
    for key in ("", "x" * 10_000, "a\nb", "a\0b"):
        with pytest.raises(errors.Invalid):
            trade(bob, market, order(yes_no(market)[0]), key=key or "\n")
    with pytest.raises(errors.NotFound):
        trading.place_trade(
            market_id=10**9,
            trader=bob,
            order=ledger_rows[errors.InsufficientFunds][0],
            client_order_id="x",
            now=NOW,
        )
    assert state() == before


def test_a_market_that_is_not_open_refuses_trades(make_market, bob):
    markets = {
        status: make_market(status=status, open_at=NOW + timedelta(days=1))
        for status in ("draft", "scheduled")
    }
    for status, verb in (
        ("paused", lifecycle.pause_market),
        ("closed", lifecycle.close_market),
        ("cancelled", resolution.cancel_market),
    ):
        markets[status] = make_market()
        verb(market_id=markets[status].pk, actor=None, now=NOW)
    for status, market in markets.items():
        with pytest.raises(errors.NotFound if status == "draft" else errors.MarketNotActive):
            trade(bob, market, order(yes_no(market)[0]))


def test_a_market_whose_closing_time_has_come_refuses_trades_before_the_job_has_run(
    make_market, bob
):
    market = make_market(close_at=NOW + timedelta(hours=1))
    yes, _ = yes_no(market)
    trade(bob, market, order(yes), now=NOW + timedelta(minutes=59, seconds=59))
    with pytest.raises(errors.MarketNotActive, match="it has closed"):
        trade(bob, market, order(yes), now=NOW + timedelta(hours=1))


def test_grants_and_deductions_have_reasons_and_limits(bob, alice):
    ledger.grant(user=bob, amount=5 * MICRO, actor=alice, now=NOW, reason="Good question")
    ledger.grant(user=bob, amount=-MICRO, actor=alice, now=NOW, reason="Mistake")
    assert balance(bob) == 1004 * MICRO
    assert list(JournalEntry.objects.order_by("pk").values_list("kind", "note"))[1:] == [
        ("grant", "Good question"),
        ("deduction", "Mistake"),
    ]
    with pytest.raises(errors.InsufficientFunds):
        ledger.grant(user=bob, amount=-2000 * MICRO, actor=alice, now=NOW, reason="Too much")
    for amount, reason in ((0, "x"), (10**20, "x"), (MICRO, " ")):
        with pytest.raises(errors.Invalid):
            ledger.grant(user=bob, amount=amount, actor=alice, now=NOW, reason=reason)


def test_a_trade_is_three_statements(market, bob):
    yes, _ = yes_no(market)
    trade(bob, market, order(yes))
    calls = []
    run = trading._run
    with pytest.MonkeyPatch.context() as patch, CaptureQueriesContext(connection) as others:
        patch.setattr(
            trading, "_run", lambda sql, parameters: (calls.append(sql), run(sql, parameters))[1]
        )
        trade(bob, market, order(yes), now=timezone.now())
    assert len(calls) == 3
    assert [q["sql"] for q in others.captured_queries if q["sql"] not in {"BEGIN", "COMMIT"}] == []
