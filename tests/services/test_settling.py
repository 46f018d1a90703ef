"""Who is paid what when a market is resolved, unresolved or called off."""

import pytest

from markets.domain import errors
from markets.domain.amounts import MICRO
from markets.models import Account, JournalEntry
from markets.presenters.portfolio import present_position
from markets.selectors import portfolio
from markets.services import ledger, resolution
from tests.support.clock import NOW
from tests.support.factory import balance, order, resolve, state, trade, yes_no

pytestmark = pytest.mark.usefixtures("the_audit_is_clean")


def test_a_share_of_the_winner_pays_one_credit_and_the_rest_returns(traded, bob):
    market, charlie = traded
    before = (balance(bob), balance(charlie))
    resolve(market, yes=MICRO)
    assert (balance(bob) - before[0], balance(charlie) - before[1]) == (100 * MICRO, 7 * MICRO)
    assert Account.objects.get(market=market).balance == 0
    shown = [p for p in portfolio.positions(bob)][0]
    assert present_position(shown)["payout"] == "100"


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
    assert [e.kind for e in JournalEntry.objects.filter(market=market).order_by("pk")][-3:] == [
        "payout",
        "reversal",
        "payout",
    ]


def test_a_payout_that_was_spent_stops_the_reversal_and_says_who_lacks_what(
    traded, make_market, bob
):
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
    ledger.grant(
        user=bob, amount=100 * MICRO - left, actor=None, now=NOW, reason="To undo a resolution"
    )
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
