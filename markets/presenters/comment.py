from collections.abc import Mapping
from typing import Any

from markets.domain.amounts import to_text
from markets.domain.time import time_text
from markets.models import Comment, Position

Held = Mapping[int, list[Position]]


def present_comment(comment: Comment, held: Held) -> dict[str, Any]:
    """Without its answers. A hidden comment says nothing, and not by whom."""
    hidden = comment.hidden_at is not None
    author = None if hidden or comment.author is None else comment.author.get_username()
    positions = [] if hidden else held.get(comment.author_id or 0, [])
    return {
        "id": comment.pk,
        "market_id": comment.market_id,
        "parent_id": comment.parent_id,
        "author": author,
        "text": "" if hidden else comment.text,
        "created_at": time_text(comment.created_at),
        "edited_at": None if hidden else time_text(comment.edited_at),
        "pinned": comment.pinned_at is not None,
        "hidden": hidden,
        "holds": [
            {"outcome_id": position.outcome_id, "shares": to_text(position.shares)}
            for position in positions
        ],
    }


def present_thread(comment: Comment, held: Held) -> dict[str, Any]:
    replies = [present_comment(reply, held) for reply in comment.replies.all()]
    return {**present_comment(comment, held), "replies": replies}
