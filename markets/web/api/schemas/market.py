"""A market: as staff write it, and as everybody reads it."""

from datetime import datetime
from typing import Annotated, Literal

from ninja import Schema
from pydantic import Field, StringConstraints

from markets.domain.limits import (
    FEWEST_OUTCOMES,
    LABEL_LENGTH,
    MOST_OUTCOMES,
    MOST_TAGS,
    NAME_LENGTH,
    QUERY_LENGTH,
    REASON_LENGTH,
    SHELF_LENGTH,
    SLUG_LENGTH,
    TEXT_LENGTH,
)
from markets.web.api.schemas.base import (
    Amount,
    Decimal,
    Id,
    In,
    Paging,
    Parameters,
    Statuses,
    Time,
    Word,
)


class OutcomeIn(In):
    label: Annotated[str, StringConstraints(max_length=LABEL_LENGTH)]
    probability: Amount | None = None


Outcomes = Annotated[list[OutcomeIn], Field(min_length=FEWEST_OUTCOMES, max_length=MOST_OUTCOMES)]
Name = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=NAME_LENGTH)
]
Text = Annotated[str, StringConstraints(max_length=TEXT_LENGTH)]
Tags = Annotated[list[Word], Field(max_length=MOST_TAGS)]
Reason = Annotated[str, StringConstraints(max_length=REASON_LENGTH)]


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
    reason: Reason = Field(
        "", description="Why labels or criteria are corrected on which people have traded."
    )


class WeightIn(In):
    outcome_id: Id
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


class MarketsOut(Schema):
    items: list[MarketOut]
    next: str | None


class PayeeOut(Schema):
    user_id: int
    amount: Decimal


class SettlementOut(Schema):
    """What a resolution would do."""

    dry_run: Literal[True]
    payouts: list[PayeeOut]
    returned: Decimal


class MarketFilters(Paging):
    """Which markets, in which order."""

    status: Statuses | None = None
    category: str | None = Field(None, max_length=SHELF_LENGTH)
    tag: str | None = Field(None, max_length=SHELF_LENGTH)
    slug: str | None = Field(None, max_length=SLUG_LENGTH)
    search: str | None = Field(None, max_length=QUERY_LENGTH)
    sort: Literal["newest", "closing", "volume", "activity"] | None = None


class ImportOut(Schema):
    dry_run: bool
    created: int
    existing: int
    ignored_columns: list[str]


class ImportOptions(Parameters):
    dry_run: bool = False
