"""Quote and place trades."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

import psycopg
from django.contrib.auth.base_user import AbstractBaseUser
from django.db import IntegrityError, OperationalError, connection, transaction
from psycopg.types.numeric import Int8

from markets import events
from markets.domain import errors, orders
from markets.domain.amounts import to_text
from markets.domain.limits import ORDER_ID_LENGTH
from markets.domain.orders import Order, Quote
from markets.domain.pricing import Book
from markets.domain.time import time_text
from markets.events.payloads import Traded
from markets.infra.database import raise_busy
from markets.infra.request_context import current_request_id
from markets.models import Market, Trade
from markets.services import ledger, trade_sql


def quote(*, market: Market, order: Order, now: datetime) -> Quote:
    """Return what the order would do now, whatever the trader's balance and shares.

    Raise MarketNotActive and the errors of `orders.price`.
    """
    order.check()
    orders.check_open(market.status, market.close_at, now)
    outcomes = list(market.outcomes.all())
    book = Book([o.probability for o in outcomes], [o.shares for o in outcomes], market.liquidity)
    return orders.price(book, [o.pk for o in outcomes], order, market.price_floor, held=None)


def place_trade(
    *, market_id: int, trader: AbstractBaseUser, order: Order, client_order_id: str, now: datetime
) -> tuple[Trade, bool]:
    """Execute an order once. Return its trade, and True unless an earlier call made the trade.

    Raise Busy, NotFound, InsufficientFunds, SlippageExceeded, the errors of `quote`, and
    IdempotencyConflict when the trader used `client_order_id` for another order.
    """
    order.check()
    if not 0 < len(client_order_id) <= ORDER_ID_LENGTH or not client_order_id.isprintable():
        message = f"Give 1 to {ORDER_ID_LENGTH} visible characters, new for each order."
        raise errors.Invalid(client_order_id=message)
    try:
        with transaction.atomic(durable=True):
            market = lock_market(market_id)
            placed = fill(market, trader, order, client_order_id, now)
            if placed is None:  # the trader's first trade: the account is part of it
                ledger.add_account(user=trader, now=now)
                placed = fill(market, trader, order, client_order_id, now)
        assert placed is not None
        return placed
    except IntegrityError as error:  # the same key at the same moment in another market
        if "trade_order_once" in str(error):
            raise errors.IdempotencyConflict from None
        raise


class LockedMarket(NamedTuple):
    id: int
    status: str
    close_at: datetime | None
    liquidity: int  # micro-shares
    price_floor: int  # millionths
    seq: int
    volume: int  # micro-credits
    trade_count: int
    trader_count: int


def lock_market(market_id: int) -> LockedMarket:
    """Lock a public market's row. Raise NotFound, Busy."""
    row = _run(trade_sql.LOCK, {"market": Int8(market_id)})
    if row is None:
        raise errors.NotFound("market", market_id)
    return LockedMarket(market_id, *row)


def fill(
    market: LockedMarket, trader: AbstractBaseUser, order: Order, order_id: str, now: datetime
) -> tuple[Trade, bool] | None:
    """Do as `place_trade` in the caller's transaction; return None for a trader without account."""
    ids_of_order = {
        "market": Int8(market.id),
        "trader": Int8(trader.pk),
        "outcome": Int8(order.outcome_id),
        "order": order_id,
    }
    row = _run(trade_sql.READ, ids_of_order)
    if row is None:
        return None
    account, balance, market_account, outcomes, position, known_here, earlier = row
    digest = order.digest(market.id)
    if earlier is not None:
        return _earlier(earlier, digest), False
    orders.check_open(market.status, market.close_at, now)
    ids, prior, sold = (list(column) for column in zip(*outcomes, strict=True))
    held, basis = position or (0, 0)
    book = Book(prior, sold, market.liquidity)
    priced = orders.price(book, ids, order, market.price_floor, held=held)
    order.check_guards(priced)
    buying = order.side == orders.BUY
    bought, paid = (priced.shares, priced.cost) if buying else (-priced.shares, -priced.cost)
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
        client_order_id=order_id,
    )
    payload = Traded(
        outcome_id=trade.outcome_id,
        side=str(trade.side),
        shares=to_text(trade.shares),
        cost=to_text(trade.cost),
        average_price=to_text(priced.average_price),
        outcome_shares=to_text(sold[priced.index] + bought),
        volume=to_text(market.volume + priced.cost),
        trade_count=market.trade_count + 1,
        trader_count=market.trader_count + (not known_here),
    ).as_json()
    prices = {str(pk): to_text(price) for pk, price in zip(ids, priced.after, strict=True)}
    (trade.pk,) = _run(
        trade_sql.WRITE,
        {
            **ids_of_order,
            "account": Int8(account),
            "market_account": Int8(market_account),
            "paid": Int8(paid),
            "cost": Int8(priced.cost),
            "bought": Int8(bought),
            "shares": Int8(priced.shares),
            "holding": Int8(held + bought),
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
    message = {
        "type": str(Traded.kind),
        "market_id": market.id,
        "seq": trade.seq,
        "at": time_text(now),
        **payload,
        "trade_id": trade.pk,
        "prices": prices,
    }
    events.recorded(message, trader_id=trader.pk)
    return trade, True


def _array(numbers: list[int]) -> str:
    """Write an array for PostgreSQL, three times as fast as the adapter of a list."""
    return f"{{{','.join(map(str, numbers))}}}"


def _run(statement: str, parameters: Mapping[str, Any]) -> Any:
    """Return the row, or None. Unlike Django's cursor, prepare the statement."""
    connection.ensure_connection()
    raw: psycopg.Connection[Any] = connection.connection
    try:
        with connection.wrap_database_errors, psycopg.Cursor(raw) as cursor:
            return cursor.execute(statement, parameters, prepare=True).fetchone()
    except OperationalError as error:
        raise_busy(error)


def _earlier(trade_id: int, digest: bytes) -> Trade:
    """Raise IdempotencyConflict when its order was another one."""
    trade = Trade.objects.get(pk=trade_id)
    if bytes(trade.request_digest) != digest:
        raise errors.IdempotencyConflict
    return trade
