"""Prices of many outcomes at many moments."""

from datetime import timedelta

from django.db import connection
from django.test.utils import CaptureQueriesContext

from markets.domain.amounts import MICRO
from markets.models import Candle, Trade
from markets.selectors import history
from tests.support.clock import NOW
from tests.support.factory import order, trade, yes_no


def price_at(outcome, moment):
    """After the last trade before the moment: the slow way."""
    trades = Trade.objects.filter(market_id=outcome.market_id, at__lt=moment).order_by("-pk")
    if (last := trades.first()) is None:
        return outcome.probability
    return last.price_after if last.outcome_id == outcome.pk else MICRO - last.price_after


def test_prices_of_many_outcomes_at_many_moments_are_one_statement(make_market, bob):
    markets = [make_market(f"{name}?", liquidity=300 * MICRO) for name in "ABC"]
    for hour in range(8):
        for place, market in enumerate(markets[:2]):
            side = yes_no(market)[(hour + place) % 2]
            at = NOW + timedelta(hours=hour, minutes=7 * place + 1)
            trade(bob, market, order(side, shares=(hour + 1) * MICRO), now=at)
    outcomes = [outcome for market in markets for outcome in yes_no(market)]
    moments = [NOW + timedelta(hours=hour) for hour in (9, 0, 4, -1, 5)]
    for period in Candle.Period:
        with CaptureQueriesContext(connection) as captured:
            found = history.prices_at(outcomes, moments, period=period)
        assert len(captured) == 1
        assert found == {o.pk: [price_at(o, moment) for moment in moments] for o in outcomes}


def test_no_outcomes_and_no_moments_have_no_prices(market):
    yes, no = yes_no(market)
    assert history.prices_at([], [NOW], period=60) == {}
    assert history.prices_at([yes, no], [], period=60) == {yes.pk: [], no.pk: []}
