"""API keys."""

from datetime import datetime
from typing import Annotated, Literal

from ninja import Schema
from pydantic import Field

from markets.web.api.schemas.base import In, Time, Word


class KeyIn(In):
    name: Word
    scopes: Annotated[
        list[Literal["read", "trade", "staff"]], Field(min_length=1, max_length=3)
    ] = ["read"]
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
