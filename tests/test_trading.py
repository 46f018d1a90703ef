"""Trading through the services: money, holdings, guards, races."""

import random
import threading
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from markets import errors
from markets.amounts import MICRO
from markets.models import Account, Event, JournalEntry, Market, Position, Posting, Trade
from markets.pricing import worst_loss
from markets.selectors import audit, portfolio
from markets.services import ledger, lifecycle, resolution, trade_sql, trading
from markets.services.auditing import audit_ledger
from markets.services.trading import Order
from tests.conftest import NOW, person
from tests.threads import together


@pytest.fixture(autouse=True)
def the_audit_is_clean(world):
    """After every test of this file, every promise of the ledger holds."""
    yield
    assert audit.breaches() == []


def order(outcome, side="buy", **facts):
    return Order(outcome_id=outcome.pk, side=side, **(facts or {"shares": 10 * MICRO}))


def trade(trader, market, what, key=None, now=NOW):
    key = key or f"order-{random.random()}"
    return trading.place_trade(market_id=market.pk, trader=trader, order=what, client_order_id=key, now=now)


def yes_no(market):
    return list(market.outcomes.all())


def balance(user):
    return Account.objects.get(user=user).balance


def state():
    """All that a refused trade must not touch."""
    rows = lambda model: list(model.objects.order_by("pk").values_list())
    return [rows(model) for model in (Account, JournalEntry, Posting, Trade, Position)] + [
        list(Market.objects.values_list("pk", "seq", "volume", "trade_count")), Event.objects.count()
    ]  # fmt: skip


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
    assert (yes.shares, market.volume, market.trade_count, market.trader_count) == (100 * MICRO, bought.cost, 1, 1)
    held = Position.objects.get(trader=bob)
    assert (held.shares, held.cost_basis, held.realised, held.net_cost) == (100 * MICRO, bought.cost, 0, bought.cost)


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


def test_every_trade_is_an_event_that_says_all_but_whose_it_was(market, bob):
    yes, no = yes_no(market)
    bought, _ = trade(bob, market, order(yes, shares=100 * MICRO))
    event = market.events.last()
    assert (event.type, event.seq, event.actor, event.pending) == ("trade", 2, bob, False)
    message = event.message()
    assert message["prices"] == {str(yes.pk): "0.731059", str(no.pk): "0.268941"}
    assert (message["trade_id"], message["shares"], message["side"]) == (bought.pk, "100", "buy")
    assert "bob" not in str(message)


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
            order(yes, "sell", shares=MICRO, max_price=1), order(yes_no(other)[0]), Order(outcome_id=2**62, side="buy", shares=MICRO),
        ],
        errors.InsufficientFunds: [order(yes, shares=600 * MICRO)],
        errors.InsufficientShares: [order(no, "sell"), order(yes, "sell", shares=11 * MICRO), order(yes, "sell", amount=500 * MICRO)],
        errors.SlippageExceeded: [
            order(yes, shares=MICRO, max_cost=1000), order(yes, shares=MICRO, max_price=500_000),
            order(yes, "sell", shares=MICRO, min_proceeds=MICRO),
        ],
        errors.TradeTooSmall: [order(yes, shares=1), order(yes, amount=1), order(yes, "sell", shares=9_999)],
        errors.PriceOutOfRange: [order(yes, shares=700 * MICRO)],
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
            market_id=10**9, trader=bob, order=ledger_rows[errors.InsufficientFunds][0], client_order_id="x", now=NOW
        )
    assert state() == before


def test_a_market_that_is_not_open_refuses_trades(make_market, bob):
    markets = {status: make_market(status=status, open_at=NOW + timedelta(days=1)) for status in ("draft", "scheduled")}
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


def test_a_market_whose_closing_time_has_come_refuses_trades_before_the_job_has_run(make_market, bob):
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


# --- settling ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def traded(make_market, bob):
    """Bob holds Yes, Charlie holds No and a little Yes."""
    market, charlie = make_market(), person("charlie")
    yes, no = yes_no(market)
    trade(bob, market, order(yes, shares=100 * MICRO))
    trade(charlie, market, order(no, shares=60 * MICRO))
    trade(charlie, market, order(yes, shares=7 * MICRO))
    return market, charlie


def resolve(market, **weights):
    ids = {outcome.label.lower(): outcome.pk for outcome in yes_no(market)}
    return resolution.resolve_market(market_id=market.pk, actor=None, now=NOW, weights={ids[k]: v for k, v in weights.items()})


def test_a_share_of_the_winner_pays_one_credit_and_the_rest_returns(traded, bob):
    market, charlie = traded
    before = (balance(bob), balance(charlie))
    resolve(market, yes=MICRO)
    assert (balance(bob) - before[0], balance(charlie) - before[1]) == (100 * MICRO, 7 * MICRO)
    assert Account.objects.get(market=market).balance == 0
    shown = [p for p in portfolio.positions(bob)][0]
    assert portfolio.present_position(shown)["payout"] == "100"


def test_weights_share_the_credit_rounded_for_the_market(traded, bob):
    market, charlie = traded
    before = (balance(bob), balance(charlie))
    resolve(market, yes=333_333, no=666_667)
    assert balance(bob) - before[0] == 100 * MICRO * 333_333 // MICRO
    assert balance(charlie) - before[1] == 7 * 333_333 + 60 * 666_667


def test_a_dry_run_says_who_gets_what_and_changes_nothing(traded, bob):
    market, charlie = traded
    before = state()
    yes, _ = yes_no(market)
    preview = resolution.preview_resolution(market_id=market.pk, weights={yes.pk: MICRO})
    assert preview.payouts == {bob.pk: 100 * MICRO, charlie.pk: 7 * MICRO}
    assert state() == before
    resolve(market, yes=MICRO)
    entry = JournalEntry.objects.get(kind="payout")
    assert entry.postings.get(account__kind="issuance").amount == preview.returned


def test_unresolving_reverses_exactly_that_payout(traded, bob):
    market, charlie = traded
    before = (balance(bob), balance(charlie), Account.objects.get(market=market).balance)
    resolve(market, yes=MICRO)
    ledger.grant(user=bob, amount=MICRO, actor=None, now=NOW, reason="Unrelated")
    resolution.unresolve_market(market_id=market.pk, actor=None, now=NOW)
    after = (balance(bob) - MICRO, balance(charlie), Account.objects.get(market=market).balance)
    assert after == before
    resolve(market, no=MICRO)
    assert balance(charlie) == before[1] + 60 * MICRO
    assert [e.kind for e in JournalEntry.objects.filter(market=market).order_by("pk")][-3:] == ["payout", "reversal", "payout"]


def test_a_payout_that_was_spent_stops_the_reversal_and_says_who_lacks_what(traded, make_market, bob):
    market, _ = traded
    resolve(market, yes=MICRO)
    other = make_market("Other?", liquidity=1000 * MICRO)
    trade(bob, other, order(yes_no(other)[0], amount=balance(bob) - 30 * MICRO))
    left = balance(bob)
    before = state()
    with pytest.raises(errors.PayoutSpent) as refusal:
        resolution.unresolve_market(market_id=market.pk, actor=None, now=NOW)
    assert refusal.value.short == {bob.pk: 100 * MICRO - left}
    assert state() == before
    ledger.grant(user=bob, amount=100 * MICRO - left, actor=None, now=NOW, reason="To undo a resolution")
    resolution.unresolve_market(market_id=market.pk, actor=None, now=NOW)
    assert balance(bob) == 0


def test_cancelling_refunds_what_each_trader_paid_in(traded, bob):
    market, charlie = traded
    resolution.cancel_market(market_id=market.pk, actor=None, now=NOW)
    assert balance(bob) == balance(charlie) == 1000 * MICRO
    assert Account.objects.get(market=market).balance == 0


def test_who_took_a_profit_keeps_it_when_a_market_is_called_off(traded, bob):
    market, charlie = traded
    yes, _ = yes_no(market)
    trade(charlie, market, order(yes, shares=200 * MICRO))
    trade(bob, market, order(yes, "sell", shares=100 * MICRO))
    richer = balance(bob)
    assert richer > 1000 * MICRO
    resolution.cancel_market(market_id=market.pk, actor=None, now=NOW)
    assert (balance(bob), balance(charlie)) == (richer, 1000 * MICRO)


# --- the audit --------------------------------------------------------------------------------------------------------

DAMAGE = {
    "balances_are_the_sum_of_postings": "UPDATE markets_account SET balance = balance + 1 WHERE kind = 'trader'",
    "entries_sum_to_zero": "UPDATE markets_posting SET amount = amount + 1 WHERE id = (SELECT max(id) FROM markets_posting)",
    "money_sums_to_zero": "UPDATE markets_account SET balance = balance + 1 WHERE kind = 'issuance'",
    "markets_can_pay": "UPDATE markets_outcome SET shares = shares + 1000000000",
    "settled_markets_hold_nothing": "UPDATE markets_market SET status = 'cancelled'",
    "shares_are_held_by_somebody": "UPDATE markets_outcome SET shares = shares + 1",
    "positions_follow_from_trades": "UPDATE markets_position SET net_cost = net_cost + 1",
    "trades_have_their_money": "UPDATE markets_trade SET cost = cost + 1",
    "totals_follow_from_trades": "UPDATE markets_market SET volume = volume + 1",
    "events_are_gapless": "UPDATE markets_market SET seq = seq + 1",
}


@pytest.mark.parametrize("check", DAMAGE)
def test_the_audit_names_each_kind_of_damage(traded, check):
    from django.core.management import CommandError, call_command

    with connection.cursor() as cursor:
        cursor.execute(DAMAGE[check])
    run = audit_ledger(now=NOW)
    assert check in {breach["check"] for breach in run.breaches}
    with pytest.raises(CommandError, match="breach"):
        call_command("audit_ledger")
    with connection.cursor() as cursor:  # so that the fixture finds it whole again
        undo = DAMAGE[check].replace("+ 1", "- 1").replace("'cancelled'", "'active'")
        cursor.execute(undo)


def test_every_check_of_the_audit_can_fail():
    assert set(DAMAGE) == set(audit.CHECKS) - {"nobody_is_overdrawn"}, "which the database refuses by itself"


# --- races ------------------------------------------------------------------------------------------------------------


def outcome_of(work):
    try:
        return work()
    except errors.Refused as error:
        return error


@pytest.mark.parametrize("times", [1, 2])
def test_many_orders_at_once_lose_and_double_nothing(market, bob, times):
    """32 connections, money for only some of the orders; then the same with every request sent twice at the same moment."""
    yes, _ = yes_no(market)
    ledger.open_account(user=bob, now=NOW)
    ledger.grant(user=bob, amount=-900 * MICRO, actor=None, now=NOW, reason="Poorer")

    def work(number):
        return outcome_of(lambda: trade(bob, market, order(yes), key=f"k{number // times}"))

    results = together(32, work)
    made = [result for result in results if isinstance(result, tuple)]
    assert {type(r) for r in results if not isinstance(r, tuple)} <= {errors.InsufficientFunds}
    assert 0 < len({t.pk for t, _ in made}) < 32 // times
    assert sum(new for _, new in made) == Trade.objects.count() == len({t.pk for t, _ in made})
    assert balance(bob) >= 0
    assert list(market.events.values_list("seq", flat=True)) == list(range(1, Trade.objects.count() + 2))


def race(first, second):
    """Start `second` while `first` holds the market's row; give both outcomes. The lock decides, not the clock."""
    locked, started = threading.Event(), threading.Event()
    results = {}
    original = lifecycle.lock
    run = trading._run

    def after_lock(row):
        if threading.current_thread().name == "first":
            locked.set()
            started.wait(10)
            threading.Event().wait(0.15)  # the second is now waiting for the row
        return row

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lifecycle, "lock", lambda *a, **k: after_lock(original(*a, **k)))
        patch.setattr(
            trading,
            "_run",
            lambda sql, p: after_lock(run(sql, p)) if sql is trade_sql.LOCK else run(sql, p),
        )

        def call(name, work):
            try:
                results[name] = outcome_of(work)
            finally:
                connection.close()

        one = threading.Thread(target=call, args=("first", first), name="first")
        two = threading.Thread(target=call, args=("second", second), name="second")
        one.start()
        assert locked.wait(10)
        two.start()
        started.set()
        one.join(20)
        two.join(20)
    return results["first"], results["second"]


def test_trade_against_close(market, bob):
    yes, _ = yes_no(market)
    ledger.open_account(user=bob, now=NOW)
    close = lambda: lifecycle.close_market(market_id=market.pk, actor=None, now=NOW + timedelta(hours=1))
    closed, refused = race(close, lambda: trade(bob, market, order(yes)))
    assert isinstance(closed, Market)
    assert isinstance(refused, errors.MarketNotActive)
    assert not Trade.objects.exists()


def test_trade_against_resolve(market, bob):
    yes, _ = yes_no(market)
    ledger.open_account(user=bob, now=NOW)
    settle = lambda: resolution.resolve_market(market_id=market.pk, actor=None, now=NOW, weights={yes.pk: MICRO})
    placed, resolved = race(lambda: trade(bob, market, order(yes)), settle)
    assert isinstance(placed, tuple)
    assert isinstance(resolved, Market)
    assert balance(bob) == 1000 * MICRO - placed[0].cost + 10 * MICRO, "the trade came first, so it is paid"


def test_resolve_against_resolve(traded, bob):
    market, _ = traded
    yes, no = yes_no(market)
    before = balance(bob)
    settle = lambda o: lambda: resolution.resolve_market(market_id=market.pk, actor=None, now=NOW, weights={o.pk: MICRO})
    won, lost = race(settle(yes), settle(no))
    assert isinstance(won, Market)
    assert isinstance(lost, errors.IllegalTransition)
    assert balance(bob) == before + 100 * MICRO


def test_unresolve_against_a_trade_that_spends_the_payout(traded, make_market, bob):
    """The trade is in another market, so only the trader's account is between them."""
    market, _ = traded
    other = make_market("Other?", liquidity=1000 * MICRO)
    resolve(market, yes=MICRO)
    spend = lambda: trade(bob, other, order(yes_no(other)[0], amount=balance(bob) - 30 * MICRO))
    results = together(
        2, lambda n: outcome_of(spend if n else lambda: resolution.unresolve_market(market_id=market.pk, actor=None, now=NOW))
    )
    unresolved, spent = results
    if isinstance(unresolved, Market):
        assert isinstance(spent, errors.InsufficientFunds | tuple)
    else:
        assert isinstance(unresolved, errors.PayoutSpent)
        assert isinstance(spent, tuple)


def test_one_key_in_two_markets_at_the_same_moment_is_one_trade(make_market, bob):
    pair = make_market("A?"), make_market("B?")
    ledger.open_account(user=bob, now=NOW)
    results = together(2, lambda n: outcome_of(lambda: trade(bob, pair[n], order(yes_no(pair[n])[0]), key="k")))
    assert sorted(type(r).__name__ for r in results) == ["IdempotencyConflict", "tuple"]
    assert Trade.objects.count() == 1


def test_ten_thousand_concurrent_trades_in_fifty_markets_know_no_deadlock(make_market):
    people = [person(f"trader-{n}") for n in range(10)]
    outcomes = [(market, yes_no(market)) for market in (make_market(f"M{n}?") for n in range(50))]
    for one in people:
        ledger.open_account(user=one, now=NOW)
        ledger.grant(user=one, amount=10**6 * MICRO, actor=None, now=NOW, reason="Rich")

    def work(number):
        chance = random.Random(number)
        done = 0
        for _ in range(1250):
            market, choices = chance.choice(outcomes)
            what = order(chance.choice(choices), chance.choice(["buy", "buy", "sell"]), shares=chance.randint(1, 5) * MICRO)
            result = outcome_of(lambda what=what, market=market: trade(chance.choice(people), market, what))
            assert isinstance(result, tuple | errors.InsufficientShares | errors.PriceOutOfRange), result
            done += isinstance(result, tuple)
        return done

    assert sum(together(8, work)) == Trade.objects.count() > 6000


def test_a_trade_is_three_statements(market, bob):
    yes, _ = yes_no(market)
    trade(bob, market, order(yes))
    calls = []
    run = trading._run
    with pytest.MonkeyPatch.context() as patch, CaptureQueriesContext(connection) as others:
        patch.setattr(trading, "_run", lambda sql, parameters: (calls.append(sql), run(sql, parameters))[1])
        trade(bob, market, order(yes), now=timezone.now())
    assert len(calls) == 3
    assert [q["sql"] for q in others.captured_queries if q["sql"] not in {"BEGIN", "COMMIT"}] == []
