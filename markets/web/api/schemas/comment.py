"""Comments, as they come in and go out."""

from datetime import datetime
from typing import Annotated

from ninja import Schema
from pydantic import Field

from markets.domain import limits
from markets.web.api.schemas.base import Decimal, Id, In, Line, ListOut

Said = Annotated[str, Field(max_length=limits.COMMENT_LENGTH, description="Markdown.")]


class CommentIn(In):
    text: Said
    parent_id: Id | None = Field(None, description="Of the comment that this answers.")


class CommentPatch(In):
    text: Said


class ReportIn(In):
    reason: Annotated[Line, Field(max_length=limits.REASON_LENGTH)]


class HoldingOut(Schema):
    outcome_id: int
    shares: Decimal


class CommentOut(Schema):
    """`author` is null for somebody who left; a `hidden` comment has neither text nor author."""

    id: int
    market_id: int
    parent_id: int | None
    author: str | None
    text: str
    created_at: datetime
    edited_at: datetime | None
    pinned: bool
    hidden: bool
    holds: list[HoldingOut] = Field(description="What the author holds in the market now.")


class ThreadOut(CommentOut):
    replies: list[CommentOut]


class ThreadsOut(ListOut[ThreadOut]): ...
