"""Markets, their shelves and their events, as they come in and go out."""

from datetime import datetime
from typing import Annotated, Literal

from ninja import Schema
from pydantic import ConfigDict, Field

from markets.domain import limits
from markets.web.api.schemas.base import (
    Amount,
    Decimal,
    Id,
    In,
    Line,
    ListOut,
    Paging,
    Parameters,
    Text,
    Time,
    WholeListOut,
    Word,
)

Statuses = Literal["draft", "scheduled", "active", "paused", "closed", "resolved", "cancelled"]
Name = Annotated[Line, Field(max_length=limits.NAME_LENGTH)]
Tags = Annotated[list[Word], Field(max_length=limits.MOST_TAGS)]


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
    known_at: Time | None = Field(
        None, description="When the answer became known in the world, if that was before now."
    )
    dry_run: bool = False


class NothingIn(In):
    """An empty body."""


class WhyIn(In):
    note: Text = ""


class MarketFilters(Paging):
    status: Statuses | None = None
    category: str | None = Field(None, max_length=limits.SHELF_LENGTH)
    tag: str | None = Field(None, max_length=limits.SHELF_LENGTH)
    slug: str | None = Field(None, max_length=limits.SLUG_LENGTH)
    search: str | None = Field(None, max_length=limits.QUERY_LENGTH)
    sort: Literal["newest", "closing", "volume", "activity"] | None = None


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
    known_at: datetime | None
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


class ImportOptions(Parameters):
    dry_run: bool = False


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


class EventFilters(Paging):
    after_seq: int = Field(0, ge=0, le=2**63 - 1)


class EventOut(Schema):
    """Further fields depend on `type`.

    A `trade` has `outcome_id, side, shares, cost, average_price, trade_id` and, as they are after
    it, `outcome_shares, volume, trade_count, trader_count` (older ones lack these four). A
    `comment.added` has `comment_id` and, for an answer, `parent_id`; a `comment.changed` has
    `comment_id` and `change`. Their words are at `/markets/{id}/comments`.
    """

    model_config = ConfigDict(extra="allow")

    type: str
    market_id: int
    seq: int
    at: datetime
    prices: dict[str, Decimal]


class EventsOut(ListOut[EventOut]): ...
