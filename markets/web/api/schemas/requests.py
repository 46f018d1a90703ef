"""Request bodies and query parameters."""

from datetime import UTC
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

from markets.domain import limits
from markets.domain.amounts import to_micro
from markets.domain.orders import Order
from markets.web.api.schemas.responses import DECIMAL, Statuses


def _micro(value: object) -> int:
    if not isinstance(value, str):
        raise ValueError('Give a decimal string, such as "12.5".')  # noqa: TRY004  (for pydantic)
    return to_micro(value)


def _time_text(value: object) -> str:
    if not isinstance(value, str) or "-" not in value or value[:2] in {"00", "99"}:
        raise ValueError(
            "Give a time as RFC 3339 has it, such as 2027-01-31T12:00:00Z, between 1900 and 9000."
        )
    return value


# A decimal string in JSON, an int of millionths in Python.
Amount = Annotated[int, BeforeValidator(_micro), WithJsonSchema(DECIMAL)]
Time = Annotated[
    AwareDatetime, BeforeValidator(_time_text), AfterValidator(lambda at: at.astimezone(UTC))
]
Id = Annotated[int, Field(ge=1, le=2**63 - 1)]
Line = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
Word = Annotated[Line, Field(max_length=limits.SHELF_LENGTH)]
Name = Annotated[Line, Field(max_length=limits.NAME_LENGTH)]
Text = Annotated[str, Field(max_length=limits.TEXT_LENGTH)]
Tags = Annotated[list[Word], Field(max_length=limits.MOST_TAGS)]


class In(Schema):
    """A request body. Unknown fields are refused."""

    model_config = ConfigDict(extra="forbid")


class Parameters(In):
    """Query parameters. Unknown ones, which Ninja would drop, and repeated ones are refused."""

    @model_validator(mode="before")
    @classmethod
    def known(cls, values: Any, info: ValidationInfo) -> Any:
        given = info.context["request"].GET if info.context else QueryDict()
        known = [field.alias or name for name, field in cls.model_fields.items()]
        if unknown := sorted(set(given) - set(known)):
            raise ValueError(
                f"Unknown parameter {unknown[0][:40]!r}; known are {', '.join(known) or 'none'}."
            )
        if repeated := [name for name in given if len(given.getlist(name)) > 1]:
            raise ValueError(f"{repeated[0]} is given more than once.")
        return values


class Paging(Parameters):
    limit: int = Field(50, ge=1, le=200)
    cursor: str | None = Field(None, max_length=500)


class OutcomeIn(In):
    label: str = Field(max_length=limits.LABEL_LENGTH)
    probability: Amount | None = None


Outcomes = Annotated[
    list[OutcomeIn], Field(min_length=limits.FEWEST_OUTCOMES, max_length=limits.MOST_OUTCOMES)
]


class MarketIn(In):
    name: Name
    description: Text = ""
    resolution_criteria: Text = ""
    source_url: str = ""
    outcomes: Outcomes | None = Field(None, description="Yes and No when left out.")
    category: Word | None = None
    tags: Tags = []
    liquidity: Amount | None = None
    open_at: Time | None = None
    close_at: Time | None = None
    status: Literal["draft", "scheduled", "active"] = "draft"


class MarketPatch(In):
    name: Name | None = None
    description: Text | None = None
    resolution_criteria: Text | None = None
    source_url: str | None = None
    outcomes: Outcomes | None = None
    category: Word | None = None
    tags: Tags | None = None
    liquidity: Amount | None = None
    open_at: Time | None = None
    close_at: Time | None = None
    reason: str = Field(
        "",
        max_length=limits.REASON_LENGTH,
        description="Why labels or criteria are corrected on which people have traded.",
    )


class WeightIn(In):
    outcome_id: Id
    weight: Amount


class ResolveIn(In):
    outcome_id: int | None = Field(None, ge=0, le=2**63 - 1)
    payouts: list[WeightIn] | None = Field(None, max_length=limits.MOST_OUTCOMES)
    evidence_url: str = ""
    note: Text = ""
    dry_run: bool = False


class NothingIn(In):
    """An empty body."""


class CancelIn(In):
    note: Text = ""


class ImportOptions(Parameters):
    dry_run: bool = False


class MarketFilters(Paging):
    status: Statuses | None = None
    category: str | None = Field(None, max_length=limits.SHELF_LENGTH)
    tag: str | None = Field(None, max_length=limits.SHELF_LENGTH)
    slug: str | None = Field(None, max_length=limits.SLUG_LENGTH)
    search: str | None = Field(None, max_length=limits.QUERY_LENGTH)
    sort: Literal["newest", "closing", "volume", "activity"] | None = None


class EventFilters(Paging):
    after_seq: int = Field(0, ge=0, le=2**63 - 1)


class QuoteIn(In):
    """Exactly one of `shares` and `amount`."""

    outcome_id: Id
    side: Literal["buy", "sell"]
    shares: Amount | None = None
    amount: Amount | None = None

    def order(self) -> Order:
        return Order(**self.dict(exclude={"client_order_id"}))


class TradeIn(QuoteIn):
    client_order_id: str = Field(min_length=1, max_length=limits.ORDER_ID_LENGTH)
    max_cost: Amount | None = None
    min_proceeds: Amount | None = None
    max_price: Amount | None = None


class HistoryFilters(Parameters):
    from_: Time | None = Field(None, alias="from")
    to: Time | None = None
    points: int = Field(200, ge=2, le=1000)


class CandleFilters(Parameters):
    outcome_id: Id
    start_ts: int = Field(ge=0, le=250_000_000_000, description="Unix seconds")
    end_ts: int = Field(ge=0, le=250_000_000_000, description="Unix seconds")
    period_interval: Literal["1", "60", "1440"] = Field("60", description="minutes")


class KeyIn(In):
    name: Word
    scopes: list[Literal["read", "trade", "staff"]] = Field(["read"], min_length=1, max_length=3)
    expires_at: Time | None = None


class ReportIn(In):
    kind: Literal["market_history", "calibration", "ledger_audit", "trades_export"]
    market_id: Id | None = None
