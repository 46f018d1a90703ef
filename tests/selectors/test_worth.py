"""Worth over time, against a replay of everything that happened."""

import random
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from markets.domain.amounts import MICRO, to_micro
from markets.domain.errors import Refused
from markets.domain.text import OutcomeDraft
from markets.models import Event, Market, Posting, Status, Trade
from markets.selectors import worth
from markets.services import ledger, resolution
from tests.support.clock import NOW
from tests.support.factory import make_market, order, trade, yes_no
from tests.support.people import person

SETTLED = {"market.resolved": True, "market.cancelled": True, "market.unresolved": False}


def replayed(user, moment):
    """The slow way: the balance and each holding from the beginning, a price from the newest event before."""
    own = Posting.objects.filter(account__user=user, entry__at__lte=moment)
    total = sum(own.values_list("amount", flat=True))
    holdings = {}
    for made in Trade.objects.filter(trader=user, at__lte=moment):
        change = made.shares if made.side == "buy" else -made.shares
        holdings[made.outcome] = holdings.get(made.outcome, 0) + change
    for outcome, shares in holdings.items():
        log = Event.objects.filter(market=outcome.market_id, at__lte=moment).order_by("seq")
        settled, price = False, outcome.probability
        for event in log:
            settled = SETTLED.get(event.type, settled)
            if event.at < moment and str(outcome.pk) in event.prices and event.type == "trade":
                price = to_micro(event.prices[str(outcome.pk)])
        total += 0 if settled else shares * price // MICRO
    return total


def granted(user):
    kinds = ["grant", "deduction"]
    own = Posting.objects.filter(account__user=user, entry__kind__in=kinds)
    return sum(own.values_list("amount", flat=True))


def random_life(seed, *, steps=120, minutes=7):
    """A trader's and a rival's, on five markets that are settled, unsettled and called off as well."""
    dice, at = random.Random(seed), NOW
    me, rival = person("me"), person("rival")
    markets = [
        make_market(
            f"Market {n}?", outcomes=[OutcomeDraft(f"o{m}") for m in range(2 + n % 3)], now=NOW
        )
        for n in range(5)
    ]
    for _ in range(steps):
        at += timedelta(minutes=dice.randint(1, minutes))
        market = dice.choice(markets)
        outcome = dice.choice(yes_no(market))
        facts = {"market_id": market.pk, "actor": None, "now": at}
        try:
            match dice.choices(["trade", "resolve", "back", "cancel", "grant"], [40, 3, 3, 1, 1])[
                0
            ]:
                case "trade":
                    side = dice.choice(["buy", "buy", "sell"])
                    what = order(outcome, side, shares=dice.randint(1, 40) * MICRO)
                    trade(dice.choice([me, me, rival]), market, what, now=at)
                case "resolve":
                    resolution.resolve_market(weights={outcome.pk: MICRO}, **facts)
                case "back":
                    resolution.unresolve_market(**facts)
                case "cancel":
                    resolution.cancel_market(**facts)
                case "grant":
                    amount = dice.choice([-50, 70]) * MICRO
                    ledger.grant(user=me, amount=amount, actor=None, now=at, reason="because")
        except Refused:
            continue
    return me, at + timedelta(minutes=3)


@pytest.mark.parametrize("seed", range(6))
def test_worth_over_time_is_what_a_replay_of_the_ledger_says(world, seed):
    me, now = random_life(seed)
    found = worth.worth_of(me, now=now)
    assert len(found.line) == len(found.moments) == worth.POINTS
    assert found.moments[-1] == now
    assert found.line[0] == found.at_first, "before the first trade"
    assert found.line[1:] == [replayed(me, moment) for moment in found.moments[1:]]
    assert found.day_ago == found.at_first, "it began today"
    later = now + timedelta(days=1, minutes=-5)
    then = worth.worth_of(me, now=later)
    assert then.day_ago == replayed(me, later - timedelta(days=1))
    assert found.line[-1] == found.total == found.balance + found.held
    assert found.total - found.profit == granted(me)
    assert found.at_first == 1000 * MICRO


def test_the_random_lives_see_every_kind_of_settlement(world):
    random_life(1)
    assert set(Event.objects.values_list("type", flat=True)) >= set(SETTLED)
    assert Market.objects.filter(status=Status.CANCELLED).exists()


def test_an_old_account_has_a_line_of_its_newest_postings(world, monkeypatch):
    monkeypatch.setattr(worth, "MOST_POSTINGS", 10)
    me, now = random_life(2)
    found = worth.worth_of(me, now=now)
    assert found.moments[0] > NOW + timedelta(minutes=60)
    assert found.line == [replayed(me, moment) for moment in found.moments]
    assert found.at_first == 1000 * MICRO


def test_the_number_of_statements_does_not_grow_with_what_somebody_did(world):
    me, now = random_life(3, steps=20)
    with CaptureQueriesContext(connection) as few:
        worth.worth_of(me, now=now)
    for number in range(20):
        market = make_market(f"More {number}?")
        trade(me, market, order(yes_no(market)[0], shares=MICRO), now=now)
    with CaptureQueriesContext(connection) as many:
        worth.worth_of(me, now=now + timedelta(days=3))
    assert len(many) <= max(len(few), 7)


def test_who_has_no_account_yet_is_worth_the_starting_grant(world):
    found = worth.worth_of(person("me"), now=NOW)
    assert (found.total, found.line, found.profit) == (1000 * MICRO, [], 0)


def test_a_first_minute_has_a_line_too(world):
    me, market = person("me"), make_market()
    trade(me, market, order(yes_no(market)[0]), now=NOW)
    found = worth.worth_of(me, now=NOW + timedelta(milliseconds=1))
    assert len(set(found.moments)) == worth.POINTS
    assert found.line[-1] == found.total
    assert min(found.line) > 900 * MICRO, "it does not begin with nothing"
