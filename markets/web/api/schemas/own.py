"""What is the caller's own: holdings, statement, keys, reports; and problems."""

from datetime import datetime
from typing import Any, Literal

from ninja import Schema
from pydantic import Field

from markets.web.api.schemas.base import Decimal, Id, In, ListOut, Time, Word
from markets.web.api.schemas.market import Statuses
from markets.web.api.schemas.trading import HeldOut


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


class KeyIn(In):
    name: Word
    scopes: list[Literal["read", "trade", "staff"]] = Field(["read"], min_length=1, max_length=3)
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


class KeysOut(ListOut[KeyOut]): ...


class ReportIn(In):
    kind: Literal["market_history", "calibration", "ledger_audit", "trades_export"]
    market_id: Id | None = None


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
