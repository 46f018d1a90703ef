"""Quotes and trades."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import psycopg
from django.contrib.auth.base_user import AbstractBaseUser
from django.db import IntegrityError, connection, transaction
from psycopg.types.numeric import Int8

from config.logs import current_request_id
from markets import errors, events
from markets.amounts import LARGEST, MICRO, to_text
from markets.event_types import EventType
from markets.models import Market, Side, Status, Trade
from markets.pricing import Book
from markets.selectors.markets import time_text
from markets.services import ledger, trade_sql

LEAST_SHARES: Final = MICRO // 100
SIDES: Final = frozenset(Side.values)
LONGEST_ORDER_ID: Final = 100


@dataclass(frozen=True, kw_only=True)
class Order:
    """What a trader wants: `shares` or `amount` (micro-units, exactly one), within guards.

    A buy spends at most `amount`; a sale is of as few shares as raise it. `max_cost`, and `max_price` a share on average, are
    for buys; `min_proceeds` is for sales.
    """

    outcome_id: int
    side: str
    shares: int | None = None
    amount: int | None = None
    max_cost: int | None = None
    min_proceeds: int | None = None
    max_price: int | None = None

    def check(self) -> None:
        """Raise Invalid for an order that no market could carry out."""
        if self.side not in SIDES:
            raise errors.Invalid(side="Choose buy or sell.")
        if (self.shares is None) == (self.amount is None):
            raise errors.Invalid(shares="Give either shares or an amount.")
        for name in ("shares", "amount", "max_cost", "max_price"):
            value = getattr(self, name)
            if value is not None and not 0 < value <= LARGEST:
                raise errors.Invalid(**{name: f"Give more than 0 and at most {to_text(LARGEST)}."})
        wrong = ("min_proceeds",) if self.side == Side.BUY else ("max_cost", "max_price")
        for name in wrong:
            if getattr(self, name) is not None:
                raise errors.Invalid(**{name: f"This guard is not for a {self.side}."})
        if self.min_proceeds is not None and self.min_proceeds < 0:
            raise errors.Invalid(min_proceeds="Give 0 or more.")

    def digest(self, market_id: int) -> bytes:
        """What makes this order the same as another under the same key."""
        facts = (
            market_id,
            self.outcome_id,
            self.side,
            self.shares,
            self.amount,
            self.max_cost,
            self.min_proceeds,
            self.max_price,
        )
        return hashlib.sha256(repr(facts).encode()).digest()


@dataclass(frozen=True)
class Quote:
    """What an order would do. `cost` is what a buyer pays or a seller gets; prices are of the outcome, in millionths."""

    shares: int
    cost: int
    before: list[int]
    after: list[int]
    index: int  # of the outcome among `before` and `after`

    @property
    def average_price(self) -> int:
        return round(self.cost * MICRO / self.shares)


def quote(*, market: Market, order: Order, now: datetime) -> Quote:
    """What the order would do at this moment. Changes nothing, and looks at no balance or holding."""
    order.check()
    _check_open(market.status, market.close_at, now)
    outcomes = list(market.outcomes.all())
    book = Book([o.probability for o in outcomes], [o.shares for o in outcomes], market.liquidity)
    return _price(book, _index([o.pk for o in outcomes], order.outcome_id), order, market.price_floor, held=None)


def place_trade(
    *, market_id: int, trader: AbstractBaseUser, order: Order, client_order_id: str, now: datetime
) -> tuple[Trade, bool]:
    """Carry an order out, once. Gives the trade, and whether it was made now (or earlier, by the same order).

    Raises Invalid, NotFound, MarketNotActive, InsufficientFunds, InsufficientShares, SlippageExceeded, TradeTooSmall,
    PriceOutOfRange, and IdempotencyConflict when the key was used for another order.
    """
    order.check()
    if not 0 < len(client_order_id) <= LONGEST_ORDER_ID or not client_order_id.isprintable():
        raise errors.Invalid(client_order_id=f"Give 1 to {LONGEST_ORDER_ID} visible characters, new for each order.")
    try:
        with transaction.atomic(durable=True):
            placed = _trade(market_id, trader, order, client_order_id, now)
        if placed is None:  # somebody's first trade
            ledger.open_account(user=trader, now=now)
            return place_trade(market_id=market_id, trader=trader, order=order, client_order_id=client_order_id, now=now)
        return placed
    except IntegrityError as error:  # the same key, at the same moment, in another market
        if "trade_order_once" in str(error):
            raise errors.IdempotencyConflict from None
        raise


def _trade(
    market_id: int, trader: AbstractBaseUser, order: Order, client_order_id: str, now: datetime
) -> tuple[Trade, bool] | None:
    """Lock, check, price, write, record: in the caller's transaction. None for a trader without an account."""
    who = {"market": Int8(market_id), "trader": Int8(trader.pk), "outcome": Int8(order.outcome_id), "order": client_order_id}
    locked = _run(trade_sql.LOCK, who)
    if locked is None:
        raise errors.NotFound("market", market_id)
    status, close_at, liquidity, floor, seq = locked
    found = _run(trade_sql.READ, who)
    if found is None:
        return None
    account, balance, market_account, outcomes, held_here, known_here, earlier = found
    digest = order.digest(market_id)
    if earlier is not None:
        return _earlier(earlier, digest), False
    _check_open(status, close_at, now)
    ids, prior, shares = (list(column) for column in zip(*outcomes, strict=True))
    held, basis = held_here or (0, 0)
    priced = _price(Book(prior, shares, liquidity), _index(ids, order.outcome_id), order, floor, held=held)
    _check_guards(order, priced)
    buying = order.side == Side.BUY
    if buying and priced.cost > balance:
        raise errors.InsufficientFunds(priced.cost, balance)
    sold_basis = 0 if buying else basis * priced.shares // held
    trade = Trade(
        market_id=market_id,
        outcome_id=order.outcome_id,
        trader_id=trader.pk,
        side=order.side,
        shares=priced.shares,
        cost=priced.cost,
        price_before=priced.before[priced.index],
        price_after=priced.after[priced.index],
        seq=seq + 1,
        at=now,
        client_order_id=client_order_id,
    )
    payload = _payload(trade, priced)
    prices = {str(outcome_id): to_text(price) for outcome_id, price in zip(ids, priced.after, strict=True)}
    written = _run(
        trade_sql.WRITE,
        {
            **who,
            "account": Int8(account),
            "market_account": Int8(market_account),
            "paid": Int8(priced.cost if buying else -priced.cost),
            "cost": Int8(priced.cost),
            "moved": Int8(priced.shares if buying else -priced.shares),
            "shares": Int8(priced.shares),
            "holding": Int8(held + priced.shares if buying else held - priced.shares),
            "basis": Int8(basis + priced.cost if buying else basis - sold_basis),
            "realised": Int8(0 if buying else priced.cost - sold_basis),
            "new_here": Int8(not known_here),
            "side": order.side,
            "price_before": Int8(trade.price_before),
            "price_after": Int8(trade.price_after),
            "seq": Int8(trade.seq),
            "at": now,
            "digest": digest,
            "payload": json.dumps(payload),
            "prices": json.dumps(prices),
            "request_id": current_request_id(),
            "ids": _array(ids),
            "before": _array(priced.before),
            "after": _array(priced.after),
        },
    )
    trade.pk = written[0]
    facts = {"market_id": market_id, "seq": trade.seq, "at": time_text(now)}
    events.recorded({"type": str(EventType.TRADE), **facts, **payload, "trade_id": trade.pk, "prices": prices}, whose=trader.pk)
    return trade, True


def _payload(trade: Trade, priced: Quote) -> dict[str, Any]:
    """What the event tells of the trade. It does not say whose it was."""
    return {
        "outcome_id": trade.outcome_id,
        "side": str(trade.side),
        "shares": to_text(trade.shares),
        "cost": to_text(trade.cost),
        "average_price": to_text(priced.average_price),
    }


def _array(numbers: list[int]) -> str:
    """PostgreSQL's way of writing an array: a third of the work that adapting a list is."""
    return f"{{{','.join(map(str, numbers))}}}"


def _run(statement: str, parameters: Mapping[str, Any]) -> Any:
    """The statement's one row, or None. Prepared on the server once per connection, which Django's cursor never does."""
    connection.ensure_connection()
    raw: psycopg.Connection[Any] = connection.connection
    with connection.wrap_database_errors, psycopg.Cursor(raw) as cursor:
        return cursor.execute(statement, parameters, prepare=True).fetchone()


def _earlier(trade_id: int, digest: bytes) -> Trade:
    trade = Trade.objects.get(pk=trade_id)
    if bytes(trade.request_digest) != digest:
        raise errors.IdempotencyConflict
    return trade


def _check_open(status: str, close_at: datetime | None, now: datetime) -> None:
    if status != Status.ACTIVE:
        raise errors.MarketNotActive(f"it is {status}")
    if close_at is not None and close_at <= now:
        raise errors.MarketNotActive("it has closed")


def _index(ids: list[int], outcome_id: int) -> int:
    if outcome_id not in ids:
        raise errors.Invalid(outcome_id=f"Outcome {outcome_id} does not belong to this market; its outcomes are {ids}.")
    return ids.index(outcome_id)


def _price(book: Book, index: int, order: Order, floor: int, *, held: int | None) -> Quote:
    """Shares and cost of an order, and the prices before and after. `held` is what the trader has; None asks for a quote."""
    buying = order.side == Side.BUY
    if order.shares is not None:
        shares: int | None = order.shares
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
    if book.shares[index] + shares > LARGEST:
        raise errors.Invalid(shares=f"A market holds at most {to_text(LARGEST)} shares of an outcome.")
    cost = book.cost(index, shares) if buying else book.proceeds(index, shares)
    if cost <= 0:
        raise errors.TradeTooSmall(LEAST_SHARES)
    before, after = book.prices(), book.after(index, shares if buying else -shares).prices()
    beyond = after[index] > MICRO - floor if buying else after[index] < floor
    if beyond:
        raise errors.PriceOutOfRange(floor, MICRO - floor, after[index])
    return Quote(shares, cost, before, after, index)


def _check_guards(order: Order, priced: Quote) -> None:
    if order.max_cost is not None and priced.cost > order.max_cost:
        raise errors.SlippageExceeded("max_cost", order.max_cost, priced.cost)
    if order.max_price is not None and priced.cost * MICRO > order.max_price * priced.shares:
        raise errors.SlippageExceeded("max_price", order.max_price, priced.average_price)
    if order.min_proceeds is not None and priced.cost < order.min_proceeds:
        raise errors.SlippageExceeded("min_proceeds", order.min_proceeds, priced.cost)
