"""LMSR prices."""

import math

from hypothesis import given
from hypothesis import strategies as st

from markets.amounts import MICRO
from markets.pricing import apportion, prices


@st.composite
def books(draw):
    count = draw(st.integers(2, 20))
    prior = apportion([1 / count] * count)
    shares = draw(st.lists(st.integers(0, 10**13), min_size=count, max_size=count))
    return prior, shares, draw(st.integers(MICRO, 10**12))


@given(books())
def test_prices_sum_to_exactly_one(book):
    found = prices(*book)
    assert sum(found) == MICRO
    assert min(found) >= 0


@given(st.lists(st.integers(1, 10**6), min_size=2, max_size=20))
def test_without_trades_the_price_is_the_prior(parts):
    prior = apportion([part / math.fsum(parts) for part in parts])
    if min(prior) > 0:
        assert all(abs(price - pi) <= 1 for price, pi in zip(prices(prior, [0] * len(prior), 100 * MICRO), prior, strict=True))


def test_a_bought_outcome_costs_more_and_the_others_less():
    before = prices([500_000, 300_000, 200_000], [0, 0, 0], 100 * MICRO)
    after = prices([500_000, 300_000, 200_000], [0, 50 * MICRO, 0], 100 * MICRO)
    assert after[1] > before[1]
    assert after[0] < before[0]
    assert after[2] < before[2]


def test_the_price_follows_the_formula():
    yes, no = prices([500_000, 500_000], [100 * MICRO, 0], 100 * MICRO)
    assert yes == round(MICRO * math.e / (math.e + 1))
    assert yes + no == MICRO
