"""Quotes, trades, and prices over time."""

from datetime import datetime
from typing import Annotated, Literal

from ninja import Schema
from pydantic import Field

from markets.domain.limits import ORDER_ID_LENGTH
from markets.domain.orders import Order
from markets.web.api.schemas.base import Amount, Decimal, Id, In, Parameters, Time


class QuoteIn(In):
    """What a trader wants: shares or an amount, exactly one."""

    outcome_id: Id
    side: Literal["buy", "sell"]
    shares: Amount | None = None
    amount: Amount | None = None

    def order(self) -> Order:
        return Order(**self.dict(exclude={"client_order_id"}))


class TradeIn(QuoteIn):
    """An order, with its guards and the key under which it happens once."""

    client_order_id: Annotated[str, Field(min_length=1, max_length=ORDER_ID_LENGTH)]
    max_cost: Amount | None = None
    min_proceeds: Amount | None = None
    max_price: Amount | None = None


class HistoryFilters(Parameters):
    """Which time, at how many moments."""

    from_: Time | None = Field(None, alias="from")
    to: Time | None = None
    points: int = Field(200, ge=2, le=1000)


class CandleFilters(Parameters):
    """Which outcome and time, in which periods."""

    outcome_id: Id
    start_ts: int = Field(ge=0, le=250_000_000_000, description="Unix seconds")
    end_ts: int = Field(ge=0, le=250_000_000_000, description="Unix seconds")
    period_interval: Literal["1", "60", "1440"] = Field("60", description="minutes")


class QuoteOut(Schema):
    shares: Decimal
    cost: Decimal
    average_price: Decimal
    price_before: Decimal
    price_after: Decimal
    seq: int


class TradeOut(Schema):
    id: int
    market_id: int
    outcome_id: int
    side: Literal["buy", "sell"]
    shares: Decimal
    cost: Decimal
    average_price: Decimal
    price_before: Decimal
    price_after: Decimal
    seq: int
    at: datetime


class OwnTradeOut(TradeOut):
    client_order_id: str


class TradesOut(Schema):
    items: list[TradeOut]
    next: str | None


class OwnTradesOut(Schema):
    items: list[OwnTradeOut]
    next: str | None


class HeldOut(Schema):
    outcome_id: int
    shares: Decimal
    cost_basis: Decimal
    realised_profit: Decimal


class PlacedOut(Schema):
    trade: OwnTradeOut
    position: HeldOut
    balance: Decimal


class PointOut(Schema):
    at: datetime
    prices: dict[str, Decimal]


class PriceHistoryOut(Schema):
    items: list[PointOut]
    next: None = None


class CandleOut(Schema):
    start: datetime
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal


class CandlesOut(Schema):
    items: list[CandleOut]
    next: None = None
