"""What people say about markets, and what staff decide about it."""

from datetime import datetime, timedelta
from typing import Final, Literal

from django.db import IntegrityError, transaction

from markets import events
from markets.domain import text
from markets.domain.errors import AlreadyDone, Forbidden, Invalid, NotFound, RateLimited
from markets.domain.limits import (
    MOST_ANSWERS,
    MOST_COMMENTS_A_MINUTE,
    MOST_PINNED,
    REASON_LENGTH,
)
from markets.events.payloads import CommentChanged, Commented
from markets.models import Comment, CommentReport, CommentVersion, Market
from markets.services import Actor, lifecycle
from markets.services.locks import lock_people

MINUTE: Final = timedelta(minutes=1)
Decision = Literal["hidden", "shown", "pinned", "unpinned"]


def write(
    *, market_id: int, author: Actor, said: str, now: datetime, parent_id: int | None = None
) -> tuple[Comment, bool]:
    """Return the comment, and whether it is new: the same words within a minute are the same one.

    Raise NotFound (a draft has none), Invalid, RateLimited, Busy.
    """
    assert author
    words = text.reason("text", said)
    with transaction.atomic(durable=True):
        lock_people(author.pk)  # so that two at once are counted
        market = lifecycle.lock(market_id)
        if not market.public:
            raise NotFound("market", market_id)
        if parent_id is not None:
            _check_parent(market, parent_id)
        latest = Comment.objects.filter(author=author.pk, created_at__gt=now - MINUTE)
        if one := latest.filter(market=market, parent=parent_id, text=words).first():
            return one, False
        _check_rate(author.pk, now)
        comment = Comment.objects.create(
            market=market, author_id=author.pk, parent_id=parent_id, text=words, created_at=now
        )
        added = Commented(comment_id=comment.pk, parent_id=parent_id)
        events.record(market, added, actor=author, now=now)
    return comment, True


def edit(*, comment_id: int, author: Actor, said: str, now: datetime) -> Comment:
    """Replace one's own text; the earlier one is kept.

    Raise NotFound, Forbidden, Invalid, RateLimited, Busy.
    """
    assert author
    words = text.reason("text", said)
    with transaction.atomic(durable=True):
        lock_people(author.pk)
        market, comment = _locked(comment_id)
        if comment.author_id != author.pk:
            raise Forbidden("Only who wrote a comment can edit it.")
        if comment.hidden_at:
            raise Forbidden("Staff have hidden this comment: it cannot be edited.")
        if comment.text != words:
            _check_rate(author.pk, now)
            CommentVersion.objects.create(
                comment=comment,
                text=comment.text,
                written_at=comment.edited_at or comment.created_at,
                replaced_at=now,
            )
            comment.text, comment.edited_at = words, now
            comment.save(update_fields=["text", "edited_at"])
            changed = CommentChanged(comment_id=comment_id, change="edited")
            events.record(market, changed, actor=author, now=now)
    return comment


def decide(*, comment_id: int, actor: Actor, now: datetime, decision: Decision) -> Comment:
    """Hide, show, pin or unpin a comment. Hiding and showing close its reports.

    Raise NotFound, Invalid, Busy.
    """
    assert actor
    with transaction.atomic(durable=True):
        market, comment = _locked(comment_id)
        if decision in {"hidden", "shown"}:
            hides = decision == "hidden"
            comment.reports.filter(decided_at=None).update(decided_at=now)
            if hides == bool(comment.hidden_at):
                return comment  # looked at, and left as it is
            comment.hidden_at, comment.hidden_by_id = (now, actor.pk) if hides else (None, None)
            comment.pinned_at = None
        elif comment.parent_id or comment.hidden_at:
            raise Invalid(comment="An answer or a hidden comment cannot be pinned.")
        elif (decision == "pinned") == bool(comment.pinned_at):
            return comment
        elif (
            decision == "pinned" and market.comments.exclude(pinned_at=None).count() >= MOST_PINNED
        ):
            raise Invalid(comment=f"{MOST_PINNED} comments are pinned here: unpin one first.")
        else:
            comment.pinned_at = now if decision == "pinned" else None
        comment.save(update_fields=["hidden_at", "hidden_by", "pinned_at"])
        changed = CommentChanged(comment_id=comment_id, change=decision)
        events.record(market, changed, actor=actor, now=now)
    return comment


def report(*, comment_id: int, reporter: Actor, reason: str, now: datetime) -> CommentReport:
    """Ask staff to look at a comment. Raise NotFound, Invalid, AlreadyDone for a second one."""
    assert reporter
    reason = text.line("reason", reason, most=REASON_LENGTH)
    try:
        with transaction.atomic(durable=True):
            _market, comment = _locked(comment_id)
            if comment.hidden_at:
                raise NotFound("comment", comment_id)
            if comment.author_id == reporter.pk:
                raise Invalid(reason="This comment is yours: edit it.")
            return CommentReport.objects.create(
                comment=comment, reporter_id=reporter.pk, reason=reason, at=now
            )
    except IntegrityError:
        raise AlreadyDone from None


def _locked(comment_id: int) -> tuple[Market, Comment]:
    """Return a comment and its market, whose lock guards both. Raise NotFound, Busy."""
    found = Comment.objects.filter(pk=comment_id).values_list("market_id", flat=True).first()
    if found is None:
        raise NotFound("comment", comment_id)
    market = lifecycle.lock(found)
    comment = Comment.objects.filter(pk=comment_id).first()
    if comment is None or not market.public:
        raise NotFound("comment", comment_id)
    return market, comment


def _check_rate(author_id: int, now: datetime) -> None:
    """Raise RateLimited for more than so many comments and edits in a minute."""
    said = Comment.objects.filter(author=author_id, created_at__gt=now - MINUTE)
    edits = CommentVersion.objects.filter(
        comment__author=author_id, replaced_at__gt=now - MINUTE
    ).order_by()
    found = [said.values_list("created_at", flat=True), edits.values_list("replaced_at", flat=True)]
    times = sorted(at for ats in found for at in ats)
    if len(times) >= MOST_COMMENTS_A_MINUTE:
        wait = times[-MOST_COMMENTS_A_MINUTE] + MINUTE - now
        raise RateLimited(MOST_COMMENTS_A_MINUTE, int(wait.total_seconds()) + 1, "comments")


def _check_parent(market: Market, parent_id: int) -> None:
    parent = market.comments.filter(pk=parent_id).first()
    if parent is None or parent.hidden_at:
        raise NotFound("comment", parent_id)
    if parent.parent_id:
        raise Invalid(parent_id="This is an answer itself: answer the comment that began it.")
    if parent.replies.count() >= MOST_ANSWERS:
        raise Invalid(parent_id=f"This has {MOST_ANSWERS} answers: begin anew with a comment.")
