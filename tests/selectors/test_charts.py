"""Which prices a chart shows, and of what time."""

from datetime import timedelta

from markets.domain.amounts import MICRO
from markets.domain.text import OutcomeDraft
from markets.selectors import charts
from tests.support.clock import NOW
from tests.support.factory import order, trade, yes_no


def series(market, wanted="", now=NOW):
    return charts.market_series(market, wanted=wanted, now=now)


def test_the_shortest_range_with_enough_trades_is_shown(make_market, bob):
    market = make_market(open_at=NOW - timedelta(days=30), now=NOW - timedelta(days=30))
    yes = yes_no(market)[0]
    assert series(market).range == "All"
    for number in range(charts.ENOUGH_TRADES):
        at = NOW - timedelta(days=3) + timedelta(minutes=number)
        trade(bob, market, order(yes, shares=MICRO), now=at)
    assert series(market).range == "1W"
    for number in range(charts.ENOUGH_TRADES):
        trade(bob, market, order(yes, shares=MICRO), now=NOW - timedelta(minutes=40 - number))
    found = series(market)
    assert found.range == "1H"
    assert found.start == NOW - timedelta(hours=1)


def test_a_line_ends_at_the_price_of_now_and_begins_when_the_market_opened(make_market, bob):
    opened = NOW - timedelta(hours=5)
    market = make_market(open_at=opened, now=opened)
    yes = yes_no(market)[0]
    trade(bob, market, order(yes, amount=30 * MICRO), now=NOW - timedelta(hours=2))
    market.refresh_from_db()
    found = series(market, "1W")
    (outcome, prices) = found.lines[0]
    assert (found.start, outcome) == (opened, yes)
    assert prices[0] == 500_000
    assert prices[-1] == market.priced()[0][1] > 500_000
    assert len(set(prices)) == 2


def test_two_outcomes_are_one_line_and_many_at_most_five(make_market):
    assert len(series(make_market("Two?")).lines) == 1
    many = make_market("Many?", outcomes=[OutcomeDraft(f"O{n}") for n in range(8)])
    assert len(series(many).lines) == charts.MOST_LINES


def test_a_spark_knows_the_price_a_day_ago(make_market, bob):
    market = make_market(open_at=NOW - timedelta(days=9), now=NOW - timedelta(days=9))
    yes = yes_no(market)[0]
    trade(bob, market, order(yes, amount=30 * MICRO), now=NOW - timedelta(hours=30))
    trade(bob, market, order(yes, amount=30 * MICRO), now=NOW - timedelta(hours=3))
    spark = charts.sparks([yes], now=NOW)[yes.pk]
    assert 500_000 == spark.prices[0] < spark.day_ago == spark.prices[-1]  # six hours ago
    assert charts.day_ago([yes], now=NOW) == {yes.pk: spark.day_ago}
