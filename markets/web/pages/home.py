"""The list of markets: a card each."""

from functools import partial
from typing import Any, Final, NamedTuple
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_safe

from markets.caching.shared import ALL_MARKETS
from markets.domain.errors import Invalid
from markets.infra.threads import in_thread
from markets.models import Market, Outcome
from markets.presenters.chart import sparkline
from markets.selectors import catalogue, charts, markets
from markets.web import hot

SORTS: Final = {
    "activity": _("Lively"),
    "newest": _("Newest"),
    "closing": _("Closing soon"),
    "volume": _("Most traded"),
}
CARDS: Final = 30
SHOWN: Final = 2  # outcomes of a market with many


class Card(NamedTuple):
    """`change` is in millionths since a day ago; a `spark` and a `change` for two outcomes only."""

    market: Market
    shown: list[tuple[Outcome, int]]
    hidden: int  # outcomes
    spark: SafeString | None
    change: int


@require_safe
async def home(request: HttpRequest) -> HttpResponse:
    # Unknown parameters make endless variants of the page: those are not cached.
    if set(request.GET) <= {"q", "category", "sort", "cursor"}:
        hot.share(request, ALL_MARKETS)
    return await in_thread(_home, request)


def _home(request: HttpRequest) -> HttpResponse:
    text = request.GET.get("q", "").strip()
    category = request.GET.get("category", "")
    sort = request.GET.get("sort", "")
    sort = sort if sort in SORTS else "" if text else "activity"
    listed = partial(catalogue.listed, text=text, category=category, sort=sort or None, limit=CARDS)
    try:
        page = listed(cursor=request.GET.get("cursor"))
    except Invalid:  # an outdated or broken cursor: show the first page
        page = listed()
    query = {"q": text, "category": category, "sort": sort, "cursor": page.next}
    context: dict[str, Any] = {
        "cards": _cards(page.items),
        "text": text,
        "category": category,
        "categories": markets.public_categories(),
        "sort": sort,
        "sorts": SORTS,
        "more": page.next and "?" + urlencode({k: v for k, v in query.items() if v}),
    }
    return render(request, "markets/home.html", context)


def _cards(listed: list[Market]) -> list[Card]:
    shown = {market.pk: market.shown(SHOWN) for market in listed}
    alone = [pairs[0][0] for pairs in shown.values() if len(pairs) == 1]
    sparks = charts.sparks(alone, now=timezone.now())
    cards = []
    for market in listed:
        pairs = shown[market.pk]
        if len(pairs) > 1:
            hidden = len(market.outcomes.all()) - SHOWN
            cards.append(Card(market, pairs, hidden, None, 0))
            continue
        outcome, price = pairs[0]
        spark = sparks[outcome.pk]
        picture = sparkline([*spark.prices, price])
        cards.append(Card(market, pairs, 0, picture, price - spark.day_ago))
    return cards
