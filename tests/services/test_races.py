"""What happens at the same moment: the lock decides, and nothing is lost or doubled."""

import random
import threading
from datetime import timedelta

import pytest
from django.db import connection

from markets.domain import errors
from markets.domain.amounts import MICRO
from markets.models import Market, Trade
from markets.services import ledger, lifecycle, resolution, trade_sql, trading
from tests.support.clock import NOW
from tests.support.factory import balance, order, resolve, trade, yes_no
from tests.support.people import person
from tests.support.threads import together

pytestmark = pytest.mark.usefixtures("the_audit_is_clean")


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
    assert list(market.events.values_list("seq", flat=True)) == list(
        range(1, Trade.objects.count() + 2)
    )


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
    close = lambda: lifecycle.close_market(
        market_id=market.pk, actor=None, now=NOW + timedelta(hours=1)
    )
    closed, refused = race(close, lambda: trade(bob, market, order(yes)))
    assert isinstance(closed, Market)
    assert isinstance(refused, errors.MarketNotActive)
    assert not Trade.objects.exists()


def test_trade_against_resolve(market, bob):
    yes, _ = yes_no(market)
    ledger.open_account(user=bob, now=NOW)
    settle = lambda: resolution.resolve_market(
        market_id=market.pk, actor=None, now=NOW, weights={yes.pk: MICRO}
    )
    placed, resolved = race(lambda: trade(bob, market, order(yes)), settle)
    assert isinstance(placed, tuple)
    assert isinstance(resolved, Market)
    assert balance(bob) == 1000 * MICRO - placed[0].cost + 10 * MICRO, (
        "the trade came first, so it is paid"
    )


def test_resolve_against_resolve(traded, bob):
    market, _ = traded
    yes, no = yes_no(market)
    before = balance(bob)
    settle = lambda o: (
        lambda: resolution.resolve_market(
            market_id=market.pk, actor=None, now=NOW, weights={o.pk: MICRO}
        )
    )
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
        2,
        lambda n: outcome_of(
            spend
            if n
            else lambda: resolution.unresolve_market(market_id=market.pk, actor=None, now=NOW)
        ),
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
    results = together(
        2, lambda n: outcome_of(lambda: trade(bob, pair[n], order(yes_no(pair[n])[0]), key="k"))
    )
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
            what = order(
                chance.choice(choices),
                chance.choice(["buy", "buy", "sell"]),
                shares=chance.randint(1, 5) * MICRO,
            )
            result = outcome_of(
                lambda what=what, market=market: trade(chance.choice(people), market, what)
            )
            assert isinstance(result, tuple | errors.InsufficientShares | errors.PriceOutOfRange), (
                result
            )
            done += isinstance(result, tuple)
        return done

    assert sum(together(8, work)) == Trade.objects.count() > 6000
