"""Orders to a price, guards, and the digests of orders."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from markets.domain import errors
from markets.domain.amounts import MICRO
from markets.domain.orders import Order, price
from markets.domain.pricing import Book
from tests.support.books import books

FLOOR = 1000  # millionths


def priced(book, side, target, held=10**15):
    order = Order(outcome_id=0, side=side, target_price=target)
    return price(book, list(range(len(book.prior))), order, FLOOR, held)


@given(books(most_shares=10**9), st.integers(FLOOR, MICRO - FLOOR))
def test_an_order_to_a_price_ends_a_step_before_it_and_never_beyond(book, target):
    before = book.prices()[0]
    assume(before != target)
    buying = target > before
    try:
        found = priced(book, "buy" if buying else "sell", target)
    except errors.TradeTooSmall:
        assert book.shares_to_reach(0, target) < 10_000
        return
    assert found.before[0] == before
    after = found.after[0]
    assert before <= after <= target if buying else target <= after <= before
    further = 1 + round(found.shares / 10**12)  # a micro-share, or the doubles' last digits
    way = 1 if buying else -1
    beyond = book.after(0, way * (found.shares + further)).weights()[0] * MICRO
    assert beyond * way >= target * way - 1e-6
    assert abs(after - target) <= 1 + MICRO / book.liquidity, "the step of a micro-share"


@given(books(most_shares=10**9), st.integers(FLOOR, MICRO - FLOOR))
def test_there_and_back_never_pays(book, target):
    try:
        up = priced(book, "buy", target)
        risen = book.after(0, up.shares)
        down = priced(risen, "sell", max(FLOOR, up.before[0]))
    except (errors.TargetReached, errors.TradeTooSmall, errors.PriceOutOfRange):
        return
    if down.shares <= up.shares:
        assert down.cost + risen.after(0, -down.shares).proceeds(0, up.shares - down.shares) <= (
            up.cost
        )


def test_a_price_that_is_there_is_said_and_a_sale_sells_what_one_has():
    book = Book([462_000, 538_000], [0, 0], 100 * MICRO)
    for side, target in (("buy", 462_000), ("buy", 300_000), ("sell", 462_000), ("sell", 600_000)):
        with pytest.raises(errors.TargetReached, match=r"The price is 46% already"):
            priced(book, side, target)
    for side, target in (("buy", MICRO - FLOOR + 1), ("sell", FLOOR - 1)):
        with pytest.raises(errors.PriceOutOfRange):
            priced(book, side, target)
    with pytest.raises(errors.InsufficientShares):
        priced(book, "sell", 400_000, held=10 * MICRO)


def test_an_order_keeps_the_digest_that_it_had_before_orders_could_name_a_target():
    order = Order(outcome_id=3, side="buy", shares=5 * MICRO, max_cost=9 * MICRO, max_price=600_000)
    assert order.digest(7).hex() == (
        "4f21c90512c6e2913d59aa8552bbedf26f3dcfa2e0aec71708be708b4a41d645"
    )
    others = [
        Order(outcome_id=3, side="sell", target_price=500_000),
        Order(outcome_id=3, side="sell", target_price=500_001),
        Order(outcome_id=3, side="sell", target_price=500_000, min_price=500_000),
        Order(outcome_id=3, side="sell", shares=MICRO, min_price=500_000),
        Order(outcome_id=3, side="sell", shares=MICRO),
    ]
    assert len({order.digest(7) for order in others}) == len(others)
