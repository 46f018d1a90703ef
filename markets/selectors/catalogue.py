"""The list of markets."""

from typing import Final

from markets.models import Market, Status
from markets.selectors.pages import Page, page
from markets.selectors.search import matching, ranked

ORDERS: Final = {
    "newest": ["-id"],
    "closing": ["close_at", "id"],
    "volume": ["-ranked_volume", "-id"],
    "activity": ["-active_at", "-id"],
}


def listed(
    *,
    status: str | None = None,
    category: str | None = None,
    tag: str | None = None,
    slug: str | None = None,
    text: str | None = None,
    sort: str | None = None,
    limit: int = 50,
    cursor: str | None = None,
    drafts: bool = False,
) -> Page[Market]:
    """Without `sort`, searches are ordered by rank, others by newest."""
    markets = Market.objects.whole() if drafts else Market.objects.public().whole()
    if status:
        markets = markets.filter(status=status)
    if category:
        markets = markets.filter(category__slug=category)
    if tag:
        markets = markets.filter(tags__slug=tag)
    if slug:
        markets = markets.filter(slug=slug)
    order = ORDERS[sort or "newest"]
    if text and sort:
        markets = matching(markets, text)
    elif text:
        markets, order = ranked(markets, text), ["-score", "-id"]
    if sort == "closing" and not status:
        markets = markets.filter(status__in=[Status.ACTIVE, Status.PAUSED], close_at__isnull=False)
    return page(markets, order=order, limit=limit, cursor=cursor)
