"""Quotes and trades."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

import psycopg
from django.contrib.auth.base_user import AbstractBaseUser
from django.db import IntegrityError, connection, transaction
from psycopg.types.numeric import Int8

from markets import events
from markets.domain import errors, orders
from markets.domain.amounts import to_text
from markets.domain.limits import ORDER_ID_LENGTH
from markets.domain.orders import Order, Quote
from markets.domain.pricing import Book
from markets.domain.time import time_text
from markets.events.payloads import Traded
from markets.infra.database import busy_when_locked
from markets.infra.request_context import current_request_id
from markets.models import Market, Trade
from markets.services import ledger, trade_sql


def quote(*, market: Market, order: Order, now: datetime) -> Quote:
    """Return what the order would do at this moment. Changes nothing, and looks at no balance or holding."""
    order.check()
    orders.check_open(market.status, market.close_at, now)
    outcomes = list(market.outcomes.all())
    book = Book([o.probability for o in outcomes], [o.shares for o in outcomes], market.liquidity)
    return orders.price(book, [o.pk for o in outcomes], order, market.price_floor, held=None)


def place_trade(
    *, market_id: int, trader: AbstractBaseUser, order: Order, client_order_id: str, now: datetime
) -> tuple[Trade, bool]:
    """Carry an order out, once. Return the trade, and whether it was made now (or earlier, by the same order).

    Raise Invalid, NotFound, MarketNotActive, InsufficientFunds, InsufficientShares, SlippageExceeded, TradeTooSmall,
    PriceOutOfRange, and IdempotencyConflict when the key was used for another order.
    """
    order.check()
    if not 0 < len(client_order_id) <= ORDER_ID_LENGTH or not client_order_id.isprintable():
        raise errors.Invalid(
            client_order_id=f"Give 1 to {ORDER_ID_LENGTH} visible characters, new for each order."
        )
    try:
        with transaction.atomic(durable=True):
            market = lock_market(market_id)
            placed = fill(market, trader, order, client_order_id, now)
            if placed is None:  # their first trade: an account comes with it, or neither
                ledger.add_account(user=trader, now=now)
                placed = fill(market, trader, order, client_order_id, now)
        assert placed is not None
        return placed
    except IntegrityError as error:  # the same key, at the same moment, in another market
        if "trade_order_once" in str(error):
            raise errors.IdempotencyConflict from None
        raise


class LockedMarket(NamedTuple):
    """What a trade needs of a market's row, which is locked until the transaction ends."""

    id: int
    status: str
    close_at: datetime | None
    liquidity: int  # micro-shares
    price_floor: int  # millionths
    seq: int


def lock_market(market_id: int) -> LockedMarket:
    """Lock a public market's row. Raise NotFound."""
    row = _run(trade_sql.LOCK, {"market": Int8(market_id)})
    if row is None:
        raise errors.NotFound("market", market_id)
    return LockedMarket(market_id, *row)


def fill(
    market: LockedMarket,
    trader: AbstractBaseUser,
    order: Order,
    client_order_id: str,
    now: datetime,
) -> tuple[Trade, bool] | None:
    """Check, price, write and record an order in the caller's transaction, which holds the market's lock.

    Return the trade and whether it was made now; None for a trader without an account. Raise as `place_trade` does.
    """
    who = {
        "market": Int8(market.id),
        "trader": Int8(trader.pk),
        "outcome": Int8(order.outcome_id),
        "order": client_order_id,
    }
    found = _run(trade_sql.READ, who)
    if found is None:
        return None
    account, balance, market_account, outcomes, held_here, known_here, earlier = found
    digest = order.digest(market.id)
    if earlier is not None:
        return _earlier(earlier, digest), False
    orders.check_open(market.status, market.close_at, now)
    ids, prior, shares = (list(column) for column in zip(*outcomes, strict=True))
    held, basis = held_here or (0, 0)
    book = Book(prior, shares, market.liquidity)
    priced = orders.price(book, ids, order, market.price_floor, held=held)
    order.check_guards(priced)
    buying = order.side == orders.BUY
    if buying and priced.cost > balance:
        raise errors.InsufficientFunds(priced.cost, balance)
    sold_basis = 0 if buying else basis * priced.shares // held
    trade = Trade(
        market_id=market.id,
        outcome_id=order.outcome_id,
        trader_id=trader.pk,
        side=order.side,
        shares=priced.shares,
        cost=priced.cost,
        price_before=priced.before[priced.index],
        price_after=priced.after[priced.index],
        seq=market.seq + 1,
        at=now,
        client_order_id=client_order_id,
    )
    payload = _payload(trade, priced)
    prices = {
        str(outcome_id): to_text(price) for outcome_id, price in zip(ids, priced.after, strict=True)
    }
    written = _run(
        trade_sql.WRITE,
        {
            **who,
            "account": Int8(account),
            "market_account": Int8(market_account),
            "paid": Int8(priced.cost if buying else -priced.cost),
            "cost": Int8(priced.cost),
            "bought": Int8(priced.shares if buying else -priced.shares),
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
    message = {
        "type": str(Traded.kind),
        "market_id": market.id,
        "seq": trade.seq,
        "at": time_text(now),
    }
    events.recorded(
        {**message, **payload, "trade_id": trade.pk, "prices": prices}, trader_id=trader.pk
    )
    return trade, True


def _payload(trade: Trade, priced: Quote) -> dict[str, Any]:
    """Return what the event tells of the trade, but for the trade's id, which the statement adds."""
    return Traded(
        outcome_id=trade.outcome_id,
        side=str(trade.side),
        shares=to_text(trade.shares),
        cost=to_text(trade.cost),
        average_price=to_text(priced.average_price),
    ).as_json()


def _array(numbers: list[int]) -> str:
    """Return PostgreSQL's way of writing an array: a third of the work that adapting a list is."""
    return f"{{{','.join(map(str, numbers))}}}"


def _run(statement: str, parameters: Mapping[str, Any]) -> Any:
    """Return the statement's one row, or None. It is prepared once per connection, which Django's cursor never does."""
    connection.ensure_connection()
    raw: psycopg.Connection[Any] = connection.connection
    with busy_when_locked(), connection.wrap_database_errors, psycopg.Cursor(raw) as cursor:
        return cursor.execute(statement, parameters, prepare=True).fetchone()


def _earlier(trade_id: int, digest: bytes) -> Trade:
    """Return the trade that was made under the same key. Raise IdempotencyConflict when it was another order's."""
    trade = Trade.objects.get(pk=trade_id)
    if bytes(trade.request_digest) != digest:
        raise errors.IdempotencyConflict
    return trade
