"""The pages. Each is rendered in one hop to a database thread."""

from typing import Final
from urllib.parse import urlencode

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from markets.caching.shared import EVERY
from markets.domain.errors import Invalid, NotFound
from markets.domain.permissions import Permission, may
from markets.infra.threads import in_thread
from markets.selectors import catalogue, history, markets
from markets.web import hot

PAGE: Final = 30  # markets
SORTS: Final = {
    "activity": "Lively",
    "newest": "Newest",
    "closing": "Closing soon",
    "volume": "Most traded",
}


@require_safe
async def home(request: HttpRequest) -> HttpResponse:
    """The list of markets."""
    if set(request.GET) <= {
        "q",
        "category",
        "sort",
        "cursor",
    }:  # what anybody can ask in endless variety is not kept
        hot.share(request, EVERY)
    return await in_thread(_home, request)


def _home(request: HttpRequest) -> HttpResponse:
    text = request.GET.get("q", "").strip()
    category = request.GET.get("category", "")
    sort = request.GET.get("sort", "")
    sort = sort if sort in SORTS else "" if text else "activity"
    try:
        page = catalogue.listed(
            text=text,
            category=category,
            sort=sort or None,
            limit=PAGE,
            cursor=request.GET.get("cursor") or None,
        )
    except Invalid:  # an old or broken link to a further page: begin at the first
        page = catalogue.listed(text=text, category=category, sort=sort or None, limit=PAGE)
    kept = {"q": text, "category": category, "sort": sort}
    context = {
        "page": page,
        "text": text,
        "category": category,
        "categories": markets.categories(),
        "sort": sort,
        "sorts": SORTS,
        "more": page.next
        and "?" + urlencode({**{k: v for k, v in kept.items() if v}, "cursor": page.next}),
    }
    return render(request, "markets/list.html", context)


@require_safe
async def market(request: HttpRequest, slug: str) -> HttpResponse:
    """One market."""
    return await in_thread(_market, request, slug)


def _market(request: HttpRequest, slug: str) -> HttpResponse:
    try:
        found = markets.get_by_slug(slug, drafts=may(request.user, Permission.SEE_DRAFTS))
    except NotFound:
        raise Http404 from None
    if not request.GET:
        hot.share(request, found.pk)
    context = {
        "market": found,
        "resolution": next((r for r in found.resolutions.all() if r.reversed_at is None), None),
        "corrections": history.corrections(found.pk),
    }
    return render(request, "markets/detail.html", context)
