"""Orders, their quotes, and what a settlement pays."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from markets.domain import errors
from markets.domain.amounts import LARGEST_AMOUNT, MICRO, to_text
from markets.domain.limits import LEAST_SHARES
from markets.domain.pricing import Book

BUY: Final = "buy"
SELL: Final = "sell"
SIZES: Final = ("shares", "amount", "target_price")
GUARDS: Final = {BUY: ("max_cost", "max_price"), SELL: ("min_proceeds", "min_price")}
ADDED: Final = ("target_price", "min_price")  # since orders have digests


@dataclass(frozen=True, kw_only=True)
class Order:
    """An order of one of `shares`, `amount` and `target_price` (millionths), with optional guards.

    A buy of an `amount` spends at most that; a sale sells the fewest shares that raise it.
    A buy to a `target_price` takes the outcome's price up to it, a sale down to it.
    `max_cost` and `max_price` (a share's average) guard buys, `min_proceeds` and `min_price` sales.
    """

    outcome_id: int
    side: str
    shares: int | None = None
    amount: int | None = None
    max_cost: int | None = None
    min_proceeds: int | None = None
    max_price: int | None = None
    target_price: int | None = None
    min_price: int | None = None

    def check(self) -> None:
        """Raise Invalid for an order that no market could carry out."""
        if self.side not in {BUY, SELL}:
            raise errors.Invalid(side="Choose buy or sell.")
        if sum(getattr(self, name) is not None for name in SIZES) != 1:
            raise errors.Invalid(shares="Give exactly one of shares, amount and target_price.")
        for name in ("shares", "amount", "max_cost", "max_price", "min_price"):
            value = getattr(self, name)
            if value is not None and not 0 < value <= LARGEST_AMOUNT:
                most = to_text(LARGEST_AMOUNT)
                raise errors.Invalid(**{name: f"Give more than 0 and at most {most}."})
        if self.target_price is not None and not 0 < self.target_price < MICRO:
            raise errors.Invalid(target_price="Give a price between 0 and 1.")
        for name in GUARDS[SELL if self.side == BUY else BUY]:
            if getattr(self, name) is not None:
                raise errors.Invalid(**{name: f"This guard is not for a {self.side}."})
        if self.min_proceeds is not None and self.min_proceeds < 0:
            raise errors.Invalid(min_proceeds="Give 0 or more.")

    def check_guards(self, priced: Quote) -> None:
        """Raise SlippageExceeded."""
        if self.max_cost is not None and priced.cost > self.max_cost:
            raise errors.SlippageExceeded("max_cost", self.max_cost, priced.cost)
        if self.max_price is not None and priced.cost * MICRO > self.max_price * priced.shares:
            raise errors.SlippageExceeded("max_price", self.max_price, priced.average_price)
        if self.min_proceeds is not None and priced.cost < self.min_proceeds:
            raise errors.SlippageExceeded("min_proceeds", self.min_proceeds, priced.cost)
        if self.min_price is not None and priced.cost * MICRO < self.min_price * priced.shares:
            raise errors.SlippageExceeded("min_price", self.min_price, priced.average_price)

    def digest(self, market_id: int) -> bytes:
        """By which a repeated order is recognised, also one that an older version stored."""
        facts = vars(self).items()
        parts: list[object] = [value for name, value in facts if name not in ADDED]
        parts += [item for item in facts if item[0] in ADDED and item[1] is not None]
        return hashlib.sha256(repr((market_id, *parts)).encode()).digest()


@dataclass(frozen=True)
class Quote:
    shares: int  # micro-shares
    cost: int  # micro-credits that a buyer pays or a seller gets
    before: list[int]  # all prices, in millionths
    after: list[int]
    index: int  # of the outcome among the prices

    @property
    def average_price(self) -> int:
        return round(self.cost * MICRO / self.shares)


@dataclass(frozen=True)
class Settlement:
    payouts: dict[int, int]  # micro-credits by user id
    returned: int  # micro-credits, to the issuance


@dataclass(frozen=True)
class Reversal:
    """What taking a resolution back takes from each trader, and who lacks how much of it."""

    taken: dict[int, int]  # micro-credits by user id
    lacking: dict[int, int]  # micro-credits by user id
    reissued: int  # micro-credits that the issuance gives back to the market


def check_open(status: str, close_at: datetime | None, now: datetime) -> None:
    """Raise MarketNotActive, even if the clock has not closed the market yet."""
    if status != "active":
        raise errors.MarketNotActive(f"it is {status}")
    if close_at is not None and close_at <= now:
        raise errors.MarketNotActive("it has closed")


def price(book: Book, outcome_ids: list[int], order: Order, floor: int, held: int | None) -> Quote:
    """Raise Invalid, InsufficientShares, TargetReached, TradeTooSmall, PriceOutOfRange.

    `held` is the trader's micro-shares of the outcome, None for a quote, which ignores them. No
    price may end below `floor` or above `MICRO - floor` (millionths).
    """
    if order.outcome_id not in outcome_ids:
        raise errors.unknown_outcome(order.outcome_id, outcome_ids)
    index, buying = outcome_ids.index(order.outcome_id), order.side == BUY
    before = book.prices()
    if order.shares is not None:
        shares: int | None = order.shares
    elif (target := order.target_price) is not None:
        if not floor <= target <= MICRO - floor:
            raise errors.PriceOutOfRange(floor, MICRO - floor, target)
        if before[index] >= target if buying else before[index] <= target:
            raise errors.TargetReached(before[index])
        shares = book.shares_to_reach(index, target)
    elif order.amount is not None and buying:
        shares = book.shares_for(index, order.amount)
    else:
        shares = book.shares_to_raise(index, order.amount or 0)
    available = book.shares[index] if held is None else held
    if not buying and (shares is None or shares > available):
        raise errors.InsufficientShares(shares, available)
    assert shares is not None
    if shares < LEAST_SHARES and (buying or shares != available):
        raise errors.TradeTooSmall(LEAST_SHARES)
    if book.shares[index] + shares > LARGEST_AMOUNT:
        most = to_text(LARGEST_AMOUNT)
        raise errors.Invalid(shares=f"A market holds at most {most} shares of an outcome.")
    cost = book.cost(index, shares) if buying else book.proceeds(index, shares)
    if cost <= 0:
        raise errors.TradeTooSmall(LEAST_SHARES)
    after = book.after(index, shares if buying else -shares).prices()
    out_of_range = after[index] > MICRO - floor if buying else after[index] < floor
    if out_of_range:
        raise errors.PriceOutOfRange(floor, MICRO - floor, after[index])
    return Quote(shares, cost, before, after, index)
