"""Comments as they are read: those that began something, each with its answers."""

from collections import defaultdict
from collections.abc import Collection

from django.conf import settings
from django.db.models import Prefetch, QuerySet

from markets.models import Comment, Position
from markets.selectors.portfolio import SETTLED


def threads(market_id: int) -> QuerySet[Comment]:
    """Return the comments that are no answers, each with its `replies`, oldest first."""
    answers = Comment.objects.select_related("author").order_by("pk")
    began = Comment.objects.filter(market_id=market_id, parent=None).select_related("author")
    return began.prefetch_related(Prefetch("replies", answers))


def newest(market_id: int, *, before_id: int | None, most: int) -> list[Comment]:
    """Return the newest threads, before those that staff have pinned; further ones have an id."""
    began = threads(market_id)
    if before_id is not None:
        return list(began.filter(pk__lt=before_id, pinned_at=None).order_by("-pk")[:most])
    pinned = list(began.exclude(pinned_at=None).order_by("-pinned_at"))
    return [*pinned, *began.filter(pinned_at=None).order_by("-pk")[: most - len(pinned)]]


def holdings(market_id: int, comments: Collection[Comment]) -> dict[int, list[Position]]:
    """Return what the writers hold in the market, by user id, if the site shows it."""
    if not settings.SHOW_HOLDINGS:
        return {}
    writers = {one.author_id for began in comments for one in (began, *began.replies.all())}
    held = Position.objects.filter(market_id=market_id, trader__in=writers, shares__gt=0)
    held = held.exclude(market__status__in=SETTLED)
    found = defaultdict[int, list[Position]](list)
    for position in held.select_related("outcome").order_by("-shares"):
        found[position.trader_id].append(position)
    return found
