"""LMSR: prices, costs, and that no way through a market pays."""

import math
import random
from decimal import Decimal, localcontext

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from markets.domain.amounts import MICRO
from markets.domain.pricing import Book, apportion, worst_loss
from tests.support.books import books, lopsided


def exact_cost(book, outcome, shares):
    """Micro-credits, with 60 digits: the peer of the doubles."""
    with localcontext() as context:
        context.prec = 60

        def c(sold):
            b = Decimal(book.liquidity)
            most = max(sold)
            total = sum(
                Decimal(pi) / MICRO * (Decimal(s - most) / b).exp()
                for pi, s in zip(book.prior, sold, strict=True)
            )
            return most + b * total.ln()

        after = book.after(outcome, shares).shares
        return c(after) - c(book.shares)


@given(books())
def test_prices_sum_to_exactly_one(book):
    found = book.prices()
    assert sum(found) == MICRO
    assert min(found) >= 0


@given(st.lists(st.integers(1, 10**6), min_size=2, max_size=20))
def test_without_trades_the_price_is_the_prior(parts):
    prior = apportion([part / math.fsum(parts) for part in parts])
    assume(min(prior) > 0)
    prices = Book(prior, [0] * len(prior), 100 * MICRO).prices()
    assert all(abs(price - pi) <= 1 for price, pi in zip(prices, prior, strict=True))


def test_a_bought_outcome_costs_more_and_the_others_less():
    book = Book([500_000, 300_000, 200_000], [0, 0, 0], 100 * MICRO)
    before, after = book.prices(), book.after(1, 50 * MICRO).prices()
    assert after[1] > before[1]
    assert after[0] < before[0]
    assert after[2] < before[2]


def test_figures_that_can_be_checked_by_hand():
    book = Book([500_000, 500_000], [0, 0], 100 * MICRO)
    assert book.after(0, 100 * MICRO).prices()[0] == round(MICRO * math.e / (math.e + 1))
    assert book.cost(0, 100 * MICRO) == math.ceil(100 * MICRO * math.log((math.e + 1) / 2))
    assert worst_loss([500_000, 500_000], 100 * MICRO) == math.ceil(100 * MICRO * math.log(2)) + 1


@given(books(), st.integers(0, 19), st.integers(1, 10**13))
def test_a_buy_costs_at_least_and_hardly_more_than_the_exact_figure(book, outcome, shares):
    outcome %= len(book.prior)
    assume(book.weights()[outcome] > 1e-6)
    exact = exact_cost(book, outcome, shares)
    cost = book.cost(outcome, shares)
    assert exact <= cost <= exact + 2 + exact / 10**11


@given(books(), st.integers(0, 19), st.integers(1, 10**13))
def test_a_sale_pays_at_most_and_hardly_less_than_the_exact_figure(book, outcome, shares):
    outcome %= len(book.prior)
    book.shares[outcome] += shares
    assume(1e-6 < book.weights()[outcome] < 1 - 1e-6)
    exact = -exact_cost(book, outcome, -shares)
    paid = book.proceeds(outcome, shares)
    assert exact - 2 - exact / 10**9 <= paid <= exact


@given(books(), st.integers(0, 19), st.integers(1, 10**13))
def test_an_amount_buys_the_most_that_it_pays_for(book, outcome, amount):
    outcome %= len(book.prior)
    assume(book.weights()[outcome] > 1e-6)
    shares = book.shares_for(outcome, amount)
    if shares:
        assert book.cost(outcome, shares) <= amount
    slack = 3 + round(3 / book.weights()[outcome]) + shares // 10**10
    assert book.cost(outcome, shares + slack) >= amount


@given(books(), st.integers(0, 19), st.integers(1, 10**12))
def test_a_sale_raises_the_amount_with_the_fewest_shares(book, outcome, amount):
    outcome %= len(book.prior)
    p = book.weights()[outcome]
    assume(1e-6 < p < 1 - 1e-6)
    shares = book.shares_to_raise(outcome, amount)
    most = -book.liquidity * math.log1p(-p)
    if shares is None:
        assert amount >= most * (1 - 1e-9) - 3
    else:
        assert book.proceeds(outcome, shares) >= amount
        fewer = (
            shares
            - 3
            - round(3 / book.after(outcome, -shares).weights()[outcome])
            - shares // 10**6
        )
        assert fewer <= 0 or book.proceeds(outcome, fewer) <= amount


@pytest.mark.parametrize("ratio", [1e-9, 1e-3, 0.999, 1.001, 30, 700, 800, 10**6])
def test_sizes_of_all_kinds_are_stable(ratio):
    book = Book([300_000, 700_000], [0, 0], 10 * MICRO)
    shares = max(1, round(ratio * book.liquidity))
    cost = book.cost(0, shares)
    assert 0 < cost <= shares + 1
    assert abs(cost - exact_cost(book, 0, shares)) <= 2 + cost / 10**11
    assert abs(book.shares_for(0, cost) - shares) <= 10 + shares // 10**10
    assert book.after(0, shares).proceeds(0, shares) <= cost


@given(
    books(most_shares=0),
    st.lists(st.tuples(st.integers(0, 19), st.integers(1, 10**9)), max_size=12),
)
def test_the_subsidy_and_what_was_paid_cover_every_payout(book, buys):
    money = worst_loss(book.prior, book.liquidity)
    for outcome, shares in buys:
        money += book.cost(outcome % len(book.prior), shares)
        book = book.after(outcome % len(book.prior), shares)
    assert money >= max(book.shares)


def test_a_million_random_round_trips_never_pay():
    """Walks of buys and sales that end where they began: what came back is never more than what went in."""
    chance = random.Random(20261123)
    trips = 0
    while trips < 1_000_000:
        count = chance.choice([2, 2, 2, 3, 5])
        book = Book(
            lopsided(chance.randrange(10**6), count),
            [0] * count,
            round(10 ** chance.uniform(6, 10)),
        )
        held, paid = [0] * count, 0
        for _ in range(200):
            outcome = chance.randrange(count)
            if held[outcome] and chance.random() < 0.5:
                shares = (
                    held[outcome] if chance.random() < 0.3 else chance.randint(1, held[outcome])
                )
                paid -= book.proceeds(outcome, shares)
                shares = -shares
            else:
                shares = round(book.liquidity * 10 ** chance.uniform(-6, 0.5)) or 1
                paid += book.cost(outcome, shares)
            held[outcome] += shares
            book = book.after(outcome, shares)
            trips += 1
        for outcome in range(count):
            if held[outcome]:
                paid -= book.proceeds(outcome, held[outcome])
                book = book.after(outcome, -held[outcome])
                trips += 1
        assert book.shares == [0] * count
        assert paid >= 0
