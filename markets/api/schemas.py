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
        if unknown := sorted(set(given) - set(cls.model_fields)):
            raise ValueError(f"Unknown parameter {unknown[0][:40]!r}; known are {', '.join(cls.model_fields) or 'none'}.")
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
    outcome_id: int
    weight: Amount


class ResolveIn(In):
    outcome_id: int | None = None
    payouts: Annotated[list[WeightIn], Field(max_length=MOST_OUTCOMES)] | None = None
    evidence_url: str = ""
    note: Text = ""


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
