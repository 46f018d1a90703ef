"""Quotes, trades and prices over time."""

from datetime import datetime
from typing import Literal

from ninja import Schema
from pydantic import Field

from markets.domain import limits
from markets.domain.orders import Order
from markets.web.api.schemas.base import (
    Amount,
    Decimal,
    Id,
    In,
    ListOut,
    Parameters,
    Time,
    WholeListOut,
)


class QuoteIn(In):
    """Exactly one of `shares`, `amount` and `target_price`."""

    outcome_id: Id
    side: Literal["buy", "sell"]
    shares: Amount | None = None
    amount: Amount | None = Field(
        None, description="A buy spends at most this; a sale sells the fewest shares that raise it."
    )
    target_price: Amount | None = Field(
        None, description="A buy takes the outcome's price up to this, a sale down to it."
    )

    def order(self) -> Order:
        return Order(**self.dict(exclude={"client_order_id"}))


class TradeIn(QuoteIn):
    client_order_id: str = Field(min_length=1, max_length=limits.ORDER_ID_LENGTH)
    max_cost: Amount | None = None
    min_proceeds: Amount | None = None
    max_price: Amount | None = Field(None, description="The most that a share costs on average")
    min_price: Amount | None = Field(None, description="The least that a share brings on average")


class HistoryFilters(Parameters):
    from_: Time | None = Field(None, alias="from")
    to: Time | None = None
    points: int = Field(200, ge=2, le=1000)


class CandleFilters(Parameters):
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


class TradeOut(QuoteOut):
    id: int
    market_id: int
    outcome_id: int
    side: Literal["buy", "sell"]
    at: datetime


class OwnTradeOut(TradeOut):
    client_order_id: str


class TradesOut(ListOut[TradeOut]): ...


class OwnTradesOut(ListOut[OwnTradeOut]): ...


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


class PriceHistoryOut(WholeListOut[PointOut]): ...


class CandleOut(Schema):
    start: datetime
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal


class CandlesOut(WholeListOut[CandleOut]): ...
