"""The shapes of API.md. What comes in is checked strictly; what goes out is described so that OpenAPI tells the truth."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

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
from markets.services.wording import LABEL_LENGTH, TEXT_LENGTH


def _micro(value: object) -> int:
    if not isinstance(value, str):
        raise ValueError('Give a decimal string, such as "12.5".')
    return to_micro(value)


_DECIMAL = {"type": "string", "pattern": r"^-?[0-9]{1,18}(\.[0-9]{1,6})?$", "examples": ["12.5"]}
Amount = Annotated[int, BeforeValidator(_micro), WithJsonSchema(_DECIMAL)]  # in: a decimal string, inside: millionths
Decimal = Annotated[str, WithJsonSchema(_DECIMAL)]  # out: written by amounts.to_text
Time = Annotated[AwareDatetime, AfterValidator(lambda at: _sane(at))]
Statuses = Literal["draft", "scheduled", "active", "paused", "closed", "resolved", "cancelled"]


def _sane(at: datetime) -> datetime:
    """PostgreSQL and JSON clients agree on these years."""
    if not 1900 <= at.year <= 9000:
        raise ValueError("Give a year between 1900 and 9000.")
    return at


class In(Schema):
    """What a client sends: unknown fields are refused."""

    model_config = ConfigDict(extra="forbid")


class Parameters(In):
    """A route's query parameters: others are refused, and so is NUL. (Ninja itself drops what it does not know.)"""

    @model_validator(mode="before")
    @classmethod
    def known(cls, values: Any, info: ValidationInfo) -> Any:
        given = info.context["request"].GET if info.context else {}
        if unknown := sorted(set(given) - set(cls.model_fields)):
            raise ValueError(f"Unknown parameter {unknown[0][:40]!r}; known are {', '.join(cls.model_fields) or 'none'}.")
        if any("\0" in value for value in given.values()):
            raise ValueError("NUL is not allowed.")
        return values


class OutcomeIn(In):
    label: Annotated[str, StringConstraints(max_length=LABEL_LENGTH)]
    probability: Amount | None = None


Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=NAME_LENGTH)]
Text = Annotated[str, StringConstraints(max_length=TEXT_LENGTH)]
Word = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=80)]


class MarketIn(In):
    name: Name
    description: Text = ""
    resolution_criteria: Text = ""
    outcomes: list[OutcomeIn] | None = Field(None, description="2 to 20; Yes and No when left out.")
    category: Word | None = None
    tags: list[Word] = []
    liquidity: Amount | None = None
    open_at: Time | None = None
    close_at: Time | None = None
    status: Literal["draft", "scheduled", "active"] = "draft"


class MarketPatch(In):
    name: Name | None = None
    description: Text | None = None
    resolution_criteria: Text | None = None
    outcomes: list[OutcomeIn] | None = None
    category: Word | None = None
    tags: list[Word] | None = None
    liquidity: Amount | None = None
    open_at: Time | None = None
    close_at: Time | None = None


class WeightIn(In):
    outcome_id: int
    weight: Amount


class ResolveIn(In):
    outcome_id: int | None = None
    payouts: list[WeightIn] | None = None
    evidence_url: str = ""
    note: Text = ""


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


class KeyIn(In):
    name: Word
    scopes: list[Literal["read", "trade", "staff"]] = ["read"]
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


class ReportIn(In):
    kind: Literal["market_history"]
    market_id: int


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
