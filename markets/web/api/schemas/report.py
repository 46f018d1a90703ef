"""Reports."""

from datetime import datetime
from typing import Literal

from ninja import Schema
from pydantic import Field

from markets.web.api.schemas.base import Id, In


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
