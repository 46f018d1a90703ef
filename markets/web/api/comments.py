"""Comments: read by everybody, written by who may trade."""

from typing import Annotated

from django.http import HttpResponse
from django.utils import timezone
from ninja import Path, Query, Router

from markets.caching.shared import encode
from markets.domain.permissions import Permission
from markets.infra.threads import in_thread
from markets.models import Comment
from markets.presenters.comment import present_comment, present_thread
from markets.selectors import comments as reading
from markets.selectors import markets
from markets.selectors.pages import page
from markets.services import comments
from markets.web.api import answers
from markets.web.api.markets import MarketId
from markets.web.api.schemas.base import Paging
from markets.web.api.schemas.comment import (
    CommentIn,
    CommentOut,
    CommentPatch,
    ReportIn,
    ThreadsOut,
)
from markets.web.auth import ApiRequest, anybody, needs

of_markets = Router(tags=["comments"], auth=anybody)
router = Router(tags=["comments"], auth=needs("trade"))

CommentId = Annotated[int, Path(ge=1, le=2**63 - 1)]


@of_markets.get(
    "/{int:market_id}/comments",
    response=ThreadsOut,
    summary="Comments with their answers, oldest first",
)
async def list_comments(
    request: ApiRequest, paging: Query[Paging], market_id: MarketId
) -> HttpResponse:
    drafts = request.auth.may(Permission.SEE_DRAFTS)

    def make() -> bytes:
        markets.head(market_id, drafts=drafts)
        found = page(reading.threads(market_id), order=["id"], **paging.dict())
        held = reading.holdings(market_id, found.items)
        return answers.page(found, lambda comment: present_thread(comment, held))

    return answers.public(request, await in_thread(make), about=market_id, to_staff=drafts)


@of_markets.post(
    "/{int:market_id}/comments",
    response={200: CommentOut, 201: CommentOut},
    auth=needs("trade"),
    summary="Comment, or answer a comment; the same words again are the same comment",
)
async def write_comment(request: ApiRequest, given: CommentIn, market_id: MarketId) -> HttpResponse:
    author, now = request.auth.user, timezone.now()

    def work() -> tuple[bytes, bool]:
        comment, new = comments.write(
            market_id=market_id, author=author, said=given.text, now=now, parent_id=given.parent_id
        )
        return _shown(comment), new

    body, new = await in_thread(work)
    return answers.private(body, status=201 if new else 200)


@router.patch("/{int:comment_id}", response=CommentOut, summary="Edit your comment")
async def edit_comment(
    request: ApiRequest, given: CommentPatch, comment_id: CommentId
) -> HttpResponse:
    author, now = request.auth.user, timezone.now()

    def work() -> bytes:
        return _shown(comments.edit(comment_id=comment_id, author=author, said=given.text, now=now))

    return answers.private(await in_thread(work))


@router.post("/{int:comment_id}/report", response={204: None}, summary="Ask staff to look at it")
async def report_comment(
    request: ApiRequest, given: ReportIn, comment_id: CommentId
) -> HttpResponse:
    reporter, now = request.auth.user, timezone.now()
    await in_thread(
        comments.report, comment_id=comment_id, reporter=reporter, reason=given.reason, now=now
    )
    return HttpResponse(status=204)


def _shown(comment: Comment) -> bytes:
    return encode(present_comment(comment, reading.holdings(comment.market_id, [comment])))
