"""The shapes of API.md. What comes in is checked strictly; what goes out is described so that OpenAPI tells the truth."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from django.http import QueryDict
from ninja import Schema
from pydantic import (
    AfterValidator,
    AwareDatetime,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationInfo,
    WithJsonSchema,
    model_validator,
)

from markets.amounts import to_micro
from markets.models.market import NAME_LENGTH
from markets.services.wording import FEWEST_OUTCOMES, LABEL_LENGTH, MOST_OUTCOMES, MOST_TAGS, TEXT_LENGTH


def _micro(value: object) -> int:
    if not isinstance(value, str):
        raise ValueError('Give a decimal string, such as "12.5".')  # noqa: TRY004  (pydantic reports ValueError)
    return to_micro(value)


def _time_text(value: object) -> str:
    if not isinstance(value, str) or "-" not in value or value[:2] in {"00", "99"}:
        raise ValueError("Give a time as RFC 3339 has it, such as 2027-01-31T12:00:00Z, between 1900 and 9000.")
    return value


_DECIMAL = {"type": "string", "pattern": r"^-?[0-9]{1,18}(\.[0-9]{1,6})?$", "examples": ["12.5"]}
Amount = Annotated[int, BeforeValidator(_micro), WithJsonSchema(_DECIMAL)]  # in: a decimal string, inside: millionths
Decimal = Annotated[str, WithJsonSchema(_DECIMAL)]  # out: written by amounts.to_text
Time = Annotated[AwareDatetime, BeforeValidator(_time_text), AfterValidator(lambda at: at.astimezone(UTC))]
Statuses = Literal["draft", "scheduled", "active", "paused", "closed", "resolved", "cancelled"]


class In(Schema):
    """What a client sends: unknown fields are refused."""

    model_config = ConfigDict(extra="forbid")


class Parameters(In):
    """A route's query parameters: others are refused, and repeated ones. (Ninja itself drops what it does not know.)"""

    @model_validator(mode="before")
    @classmethod
    def known(cls, values: Any, info: ValidationInfo) -> Any:
        given = info.context["request"].GET if info.context else QueryDict()
        known = [field.alias or name for name, field in cls.model_fields.items()]
        if unknown := sorted(set(given) - set(known)):
            raise ValueError(f"Unknown parameter {unknown[0][:40]!r}; known are {', '.join(known) or 'none'}.")
        if repeated := [name for name in given if len(given.getlist(name)) > 1]:
            raise ValueError(f"{repeated[0]} is given more than once.")
        return values


class OutcomeIn(In):
    label: Annotated[str, StringConstraints(max_length=LABEL_LENGTH)]
    probability: Amount | None = None


Outcomes = Annotated[list[OutcomeIn], Field(min_length=FEWEST_OUTCOMES, max_length=MOST_OUTCOMES)]
Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=NAME_LENGTH)]
Text = Annotated[str, StringConstraints(max_length=TEXT_LENGTH)]
Word = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=80)]


class MarketIn(In):
    name: Name
    description: Text = ""
    resolution_criteria: Text = ""
    outcomes: Outcomes | None = Field(None, description="Yes and No when left out.")
    category: Word | None = None
    tags: Annotated[list[Word], Field(max_length=MOST_TAGS)] = []
    liquidity: Amount | None = None
    open_at: Time | None = None
    close_at: Time | None = None
    status: Literal["draft", "scheduled", "active"] = "draft"


class MarketPatch(In):
    name: Name | None = None
    description: Text | None = None
    resolution_criteria: Text | None = None
    outcomes: Outcomes | None = None
    category: Word | None = None
    tags: Annotated[list[Word], Field(max_length=MOST_TAGS)] | None = None
    liquidity: Amount | None = None
    open_at: Time | None = None
    close_at: Time | None = None


class WeightIn(In):
    outcome_id: int = Field(ge=1, le=2**63 - 1)
    weight: Amount


class ResolveIn(In):
    outcome_id: int | None = Field(None, ge=0, le=2**63 - 1)
    payouts: Annotated[list[WeightIn], Field(max_length=MOST_OUTCOMES)] | None = None
    evidence_url: str = ""
    note: Text = ""
    dry_run: bool = False


class NothingIn(In):
    """An action that takes no facts."""


class CancelIn(In):
    note: Text = ""


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


class MarketsOut(Schema):
    items: list[MarketOut]
    next: str | None


class EventOut(Schema):
    """Further fields depend on `type`."""

    model_config = ConfigDict(extra="allow")

    type: str
    market_id: int
    seq: int
    at: datetime
    prices: dict[str, Decimal]


class EventsOut(Schema):
    items: list[EventOut]
    next: str | None


class ShelfOut(Schema):
    slug: str
    name: str
    markets: int


class ShelvesOut(Schema):
    items: list[ShelfOut]
    next: None = None


class ImportOut(Schema):
    dry_run: bool
    created: int
    existing: int
    ignored_columns: list[str]


class ImportOptions(Parameters):
    dry_run: bool = False


class KeyIn(In):
    name: Word
    scopes: Annotated[list[Literal["read", "trade", "staff"]], Field(min_length=1, max_length=3)] = ["read"]
    expires_at: Time | None = None


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


class KeysOut(Schema):
    items: list[KeyOut]
    next: str | None


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


class MeOut(Schema):
    id: int
    username: str
    balance: Decimal
    positions_value: Decimal
    open_profit: Decimal
    realised_profit: Decimal


class PositionOut(Schema):
    market_id: int
    slug: str
    name: str
    status: Statuses
    outcome_id: int
    label: str
    shares: Decimal
    cost_basis: Decimal
    price: Decimal
    value: Decimal
    open_profit: Decimal
    realised_profit: Decimal
    payout: Decimal


class PositionsOut(Schema):
    items: list[PositionOut]
    next: str | None


class PostingOut(Schema):
    id: int
    at: datetime
    kind: str
    market_id: int | None
    note: str
    amount: Decimal
    balance: Decimal


class StatementOut(Schema):
    items: list[PostingOut]
    next: str | None


class PayeeOut(Schema):
    user_id: int
    amount: Decimal


class SettlementOut(Schema):
    """What a resolution would do."""

    dry_run: Literal[True]
    payouts: list[PayeeOut]
    returned: Decimal


class ReportIn(In):
    kind: Literal["market_history", "calibration", "ledger_audit", "trades_export"]
    market_id: int | None = Field(None, ge=1, le=2**63 - 1)


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
