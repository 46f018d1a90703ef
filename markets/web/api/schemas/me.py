"""What is the caller's own."""

from datetime import datetime

from ninja import Schema

from markets.web.api.schemas.base import Decimal, Statuses


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
