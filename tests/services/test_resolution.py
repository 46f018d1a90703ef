"""A preview is what then happens; a confirmation holds for what was shown; what is lacking can be granted."""

from datetime import timedelta

import pytest

from markets.domain import errors
from markets.domain.amounts import MICRO
from markets.models import Account, JournalEntry, Market
from markets.selectors import settlement
from markets.services import ledger, lifecycle, resolution
from tests.support.clock import NOW
from tests.support.factory import balance, order, rename, resolve, state, trade, yes_no
from tests.support.people import person

pytestmark = pytest.mark.usefixtures("the_audit_is_clean")


@pytest.fixture
def spent(traded, make_market, bob):
    """Bob and Charlie have been paid, and have spent all but 30 and 3 credits."""
    market, charlie = traded
    resolve(market, yes=MICRO)
    other = make_market("Other?", liquidity=1000 * MICRO)
    for who, left in ((bob, 30), (charlie, 3)):
        trade(who, other, order(yes_no(other)[0], amount=balance(who) - left * MICRO))
    return market, charlie


def unresolve(market, **facts):
    return resolution.unresolve_market(market_id=market.pk, actor=None, now=NOW, **facts)


# --- previews ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "weights", [(1_000_000, 0), (0, 1_000_000), (333_333, 666_667), (1, 999_999)]
)
def test_a_preview_of_a_resolution_is_what_is_paid(make_market, bob, weights):
    """With holdings of odd millionths, whose payouts are rounded down."""
    market, charlie = make_market(), person("charlie")
    yes, no = yes_no(market)
    trade(bob, market, order(yes, shares=10_000_001))
    trade(bob, market, order(no, shares=3_333_337))
    trade(charlie, market, order(no, shares=10_007))
    by_outcome = dict(zip((yes.pk, no.pk), weights, strict=True))
    before = {user.pk: balance(user) for user in (bob, charlie)}
    held = Account.objects.get(market=market).balance
    seen = state()
    preview = resolution.preview_resolution(market_id=market.pk, weights=by_outcome)
    shown = settlement.outlook(market, preview.payouts)
    assert state() == seen, "a preview changes nothing"
    resolution.resolve_market(market_id=market.pk, actor=None, now=NOW, weights=by_outcome)
    got = {user.pk: balance(user) - before[user.pk] for user in (bob, charlie)}
    assert {user.pk: preview.payouts.get(user.pk, 0) for user in (bob, charlie)} == got
    assert preview.returned == held - sum(got.values())
    assert shown.paid == sum(got.values())
    assert {line.trader_id: line.gets for line in (*shown.winners, *shown.losers)} == got
    for line in (*shown.winners, *shown.losers):
        assert line.result == got[line.trader_id] - (1000 * MICRO - before[line.trader_id])


def test_a_preview_of_a_cancellation_is_what_is_refunded(traded, bob):
    market, charlie = traded
    yes, _ = yes_no(market)
    trade(charlie, market, order(yes, shares=200 * MICRO))
    trade(bob, market, order(yes, "sell", shares=100 * MICRO))  # with a profit, which he keeps
    before = {user.pk: balance(user) for user in (bob, charlie)}
    issued = Account.objects.get(kind="issuance").balance
    preview = resolution.preview_cancellation(market_id=market.pk)
    resolution.cancel_market(market_id=market.pk, actor=None, now=NOW)
    got = {user.pk: balance(user) - before[user.pk] for user in (bob, charlie)}
    assert got[bob.pk] == 0
    assert preview.payouts == {charlie.pk: got[charlie.pk]}
    assert Account.objects.get(kind="issuance").balance - issued == preview.returned


def test_a_preview_of_taking_back_is_what_is_taken(traded, bob):
    market, charlie = traded
    resolve(market, yes=300_000, no=700_000)
    before = {user.pk: balance(user) for user in (bob, charlie)}
    issued = Account.objects.get(kind="issuance").balance
    preview = resolution.preview_unresolution(market_id=market.pk)
    assert preview.lacking == {}
    unresolve(market)
    assert preview.taken == {user.pk: before[user.pk] - balance(user) for user in (bob, charlie)}
    assert issued - Account.objects.get(kind="issuance").balance == preview.reissued


def test_a_resolution_that_paid_nobody_is_previewed_and_taken_back(make_market):
    market = make_market(status="closed")
    resolve(market, yes=MICRO)
    assert resolution.preview_unresolution(market_id=market.pk).taken == {}
    assert unresolve(market).status == "closed"


def test_a_preview_refuses_what_the_settlement_would(traded):
    market, _ = traded
    yes, no = yes_no(market)
    for weights in ({yes.pk: 990_000}, {yes.pk: 2 * MICRO, no.pk: -MICRO}, {yes.pk + 99: MICRO}):
        for settle in (
            lambda **facts: resolution.resolve_market(actor=None, now=NOW, **facts),
            resolution.preview_resolution,
        ):
            with pytest.raises(errors.Invalid):
                settle(market_id=market.pk, weights=weights)
    resolve(market, yes=MICRO)
    for preview in (
        lambda: resolution.preview_resolution(market_id=market.pk, weights={yes.pk: MICRO}),
        lambda: resolution.preview_cancellation(market_id=market.pk),
    ):
        with pytest.raises(errors.IllegalTransition):
            preview()
    with pytest.raises(errors.NotFound):
        resolution.preview_cancellation(market_id=market.pk + 99)


# --- a confirmation holds for what was shown --------------------------------------------------------------------------


def settle_yes(market, **facts):
    weights = {yes_no(market)[0].pk: MICRO}
    resolution.resolve_market(market_id=market.pk, actor=None, now=NOW, weights=weights, **facts)


def cancel(market, **facts):
    resolution.cancel_market(market_id=market.pk, actor=None, now=NOW, **facts)


def shown_before_a_trade(market, bob):
    trade(bob, market, order(yes_no(market)[0]))


def shown_before_an_edit(market, _bob):
    rename(market, "Did it rain?")


def shown_before_a_pause(market, _bob):
    lifecycle.pause_market(market_id=market.pk, actor=None, now=NOW)


@pytest.mark.parametrize("settle", [settle_yes, cancel])
@pytest.mark.parametrize(
    "meanwhile", [shown_before_a_trade, shown_before_an_edit, shown_before_a_pause]
)
def test_what_happened_since_a_preview_stops_the_settlement(market, bob, settle, meanwhile):
    shown = Market.objects.get(pk=market.pk).seq
    meanwhile(market, bob)
    before = state()
    with pytest.raises(errors.PreviewOutdated, match="look at the new figures first"):
        settle(market, expected_seq=shown)
    assert state() == before
    settle(market, expected_seq=Market.objects.get(pk=market.pk).seq)


def test_what_happened_since_a_preview_stops_an_unresolution(traded):
    market, _ = traded
    resolve(market, yes=MICRO)
    shown = Market.objects.get(pk=market.pk).seq
    unresolve(market)
    resolve(market, no=MICRO)
    with pytest.raises(errors.PreviewOutdated):
        unresolve(market, expected_seq=shown)
    assert Market.objects.get(pk=market.pk).status == "resolved"


def test_of_two_who_confirm_the_same_preview_one_settles_it(traded, bob):
    from tests.support.threads import together

    market, _ = traded
    shown, before = Market.objects.get(pk=market.pk).seq, balance(bob)

    def work(_number):
        try:
            settle_yes(market, expected_seq=shown)
        except errors.Refused as refusal:
            return type(refusal).__name__
        return "done"

    results = together(4, work)
    assert sorted(results) == ["IllegalTransition"] * 3 + ["done"]
    assert balance(bob) == before + 100 * MICRO


# --- when it became known ---------------------------------------------------------------------------------------------


def test_when_the_answer_became_known_is_kept(traded):
    market, _ = traded
    known = NOW - timedelta(days=2)
    settle_yes(market, known_at=known)
    assert market.resolutions.get().known_at == known


@pytest.mark.parametrize("wrong", [NOW + timedelta(seconds=1), NOW.replace(year=1)])
def test_an_answer_does_not_become_known_in_the_future_nor_long_ago(traded, wrong):
    market, _ = traded
    before = state()
    with pytest.raises(errors.Invalid) as refusal:
        settle_yes(market, known_at=wrong)
    assert list(refusal.value.fields) == ["known_at"]
    assert state() == before


# --- what is lacking --------------------------------------------------------------------------------------------------


def test_what_is_lacking_is_said_by_trader(spent, bob):
    market, charlie = spent
    found = resolution.preview_unresolution(market_id=market.pk)
    assert found.taken == {bob.pk: 100 * MICRO, charlie.pk: 7 * MICRO}
    assert found.lacking == {
        bob.pk: 100 * MICRO - balance(bob),
        charlie.pk: 7 * MICRO - balance(charlie),
    }
    before = state()
    with pytest.raises(errors.PayoutSpent) as refusal:
        unresolve(market)
    assert refusal.value.short == found.lacking
    assert state() == before


def test_what_is_lacking_is_granted_and_then_all_is_taken_back(spent, bob, alice):
    market, charlie = spent
    lacking = resolution.preview_unresolution(market_id=market.pk).lacking
    resolution.unresolve_market(
        market_id=market.pk, actor=alice, now=NOW, note="The gauge was broken.", grant_lacking=True
    )
    assert balance(bob) == balance(charlie) == 0
    grant, reversal = JournalEntry.objects.order_by("-pk")[:2][::-1]
    assert (grant.kind, grant.actor, grant.market) == ("grant", alice, market)
    assert f"unresolve market {market.pk}" in grant.note
    given = dict(
        grant.postings.filter(account__kind="trader").values_list("account__user", "amount")
    )
    assert given == lacking
    assert (reversal.kind, reversal.reverses.kind) == ("reversal", "payout")
    event = market.events.last()
    assert (event.actor, event.payload["note"]) == (alice, "The gauge was broken.")
    resolve(market, no=MICRO)
    assert balance(charlie) == 60 * MICRO


def test_who_lacks_nothing_is_granted_nothing(traded, bob):
    market, _ = traded
    before = balance(bob)
    resolve(market, yes=MICRO)
    unresolve(market, grant_lacking=True)
    assert balance(bob) == before
    assert not JournalEntry.objects.filter(kind="grant", market=market).exists()


def test_a_grant_in_between_is_not_given_twice(spent, bob):
    market, charlie = spent
    ledger.grant(user=bob, amount=500 * MICRO, actor=None, now=NOW, reason="A gift")
    had = balance(bob)
    unresolve(market, grant_lacking=True)
    assert (balance(bob), balance(charlie)) == (had - 100 * MICRO, 0)


@pytest.mark.parametrize("note", ["x" * 100_000_0, "a\x00b"])
def test_a_note_that_cannot_be_kept_is_refused_at_its_field(traded, note):
    market, _ = traded
    for settle in (
        lambda: settle_yes(market, note=note),
        lambda: cancel(market, note=note),
    ):
        before = state()
        with pytest.raises(errors.Invalid) as refusal:
            settle()
        assert list(refusal.value.fields) == ["note"]
        assert state() == before
    resolve(market, yes=MICRO)
    with pytest.raises(errors.Invalid):
        unresolve(market, note=note)
