"""An event of a market's log."""

from datetime import datetime

from ninja import Schema
from pydantic import ConfigDict, Field

from markets.web.api.schemas.base import Decimal, Paging


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


class EventFilters(Paging):
    """Which part of the log."""

    after_seq: int = Field(0, ge=0, le=2**63 - 1)
