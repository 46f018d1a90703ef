"""Response bodies, for the OpenAPI document. The presenters make them."""

from datetime import datetime
from typing import Annotated, Any, Generic, Literal, TypeVar

from ninja import Schema
from pydantic import ConfigDict, Field, WithJsonSchema

T = TypeVar("T")

DECIMAL = {"type": "string", "pattern": r"^-?[0-9]{1,18}(\.[0-9]{1,6})?$", "examples": ["12.5"]}
Decimal = Annotated[str, WithJsonSchema(DECIMAL)]
Statuses = Literal["draft", "scheduled", "active", "paused", "closed", "resolved", "cancelled"]


class ListOut(Schema, Generic[T]):
    items: list[T]
    next: str | None


class WholeListOut(Schema, Generic[T]):
    """A list that has a single page."""

    items: list[T]
    next: None = None


class OutcomeOut(Schema):
    id: int
    label: str
    price: Decimal
    shares: Decimal


class WeightOut(Schema):
    outcome_id: int
    weight: Decimal


class ResolutionOut(Schema):
    resolved_at: datetime
    payouts: list[WeightOut]
    evidence_url: str | None
    note: str


class MarketOut(Schema):
    id: int
    slug: str
    name: str
    description: str
    resolution_criteria: str
    source_url: str | None
    status: Statuses
    category: str | None
    tags: list[str]
    open_at: datetime | None
    close_at: datetime | None
    created_at: datetime
    updated_at: datetime
    outcomes: list[OutcomeOut]
    liquidity: Decimal
    volume: Decimal
    volume_24h: Decimal
    trade_count: int
    trader_count: int
    seq: int
    version: int
    resolution: ResolutionOut | None


class MarketsOut(ListOut[MarketOut]): ...


class PayeeOut(Schema):
    user_id: int
    amount: Decimal


class SettlementOut(Schema):
    """A preview of a resolution: payouts per user, and the rest of the subsidy."""

    dry_run: Literal[True]
    payouts: list[PayeeOut]
    returned: Decimal


class ImportOut(Schema):
    dry_run: bool
    created: int
    existing: int
    ignored_columns: list[str]


class ShelfOut(Schema):
    slug: str
    name: str
    markets: int


class ShelvesOut(WholeListOut[ShelfOut]): ...


class EventOut(Schema):
    """Further fields depend on `type`."""

    model_config = ConfigDict(extra="allow")

    type: str
    market_id: int
    seq: int
    at: datetime
    prices: dict[str, Decimal]


class EventsOut(ListOut[EventOut]): ...


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


class MeOut(Schema):
    id: int
    username: str
    balance: Decimal
    positions_value: Decimal
    open_profit: Decimal
    realised_profit: Decimal


class PositionOut(HeldOut):
    market_id: int
    slug: str
    name: str
    status: Statuses
    label: str
    price: Decimal
    value: Decimal
    open_profit: Decimal
    payout: Decimal


class PositionsOut(ListOut[PositionOut]): ...


class PostingOut(Schema):
    id: int
    at: datetime
    kind: str
    market_id: int | None
    note: str
    amount: Decimal
    balance: Decimal


class StatementOut(ListOut[PostingOut]): ...


class KeyOut(Schema):
    id: int
    name: str
    prefix: str
    scopes: list[str]
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None


class KeyMadeOut(KeyOut):
    key: str = Field(description="Shown in this one answer and never again.")


class KeysOut(ListOut[KeyOut]): ...


class ReportOut(Schema):
    id: int
    kind: str
    market_id: int | None
    status: Literal["queued", "running", "done", "failed"]
    progress: int = Field(ge=0, le=100)
    error: str | None
    created_at: datetime


class ProblemOut(Schema):
    """RFC 9457."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    request_id: str
    errors: list[dict[str, Any]] | None = None
