"""The pages, each run in one hop to a database thread, and the error pages."""

import sys
from functools import partial
from typing import Any, Final
from urllib.parse import urlencode

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views import defaults
from django.views.decorators.http import require_safe
from redis import RedisError

from markets.caching.shared import ALL_MARKETS
from markets.domain.errors import AlreadyDone, Busy, Invalid, NotFound, Refused
from markets.domain.permissions import Permission, may
from markets.infra.threads import in_thread
from markets.models import Market
from markets.selectors import catalogue, history, markets, settlement
from markets.services import proposals
from markets.web import hot

SORTS: Final = {
    "activity": "Lively",
    "newest": "Newest",
    "closing": "Closing soon",
    "volume": "Most traded",
}
# Redis: it counts who tries to sign in, and without the count nobody may try
_UNAVAILABLE: Final = (OperationalError, InterfaceError, Busy, RedisError)


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
    listed = partial(catalogue.listed, text=text, category=category, sort=sort or None, limit=30)
    try:
        page = listed(cursor=request.GET.get("cursor"))
    except Invalid:  # an outdated or broken cursor: show the first page
        page = listed()
    query = {"q": text, "category": category, "sort": sort, "cursor": page.next}
    context = {
        "page": page,
        "text": text,
        "category": category,
        "categories": markets.public_categories(),
        "sort": sort,
        "sorts": SORTS,
        "more": page.next and "?" + urlencode({k: v for k, v in query.items() if v}),
    }
    return render(request, "markets/list.html", context)


@require_safe
async def market(request: HttpRequest, slug: str) -> HttpResponse:
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
        "resolution": found.standing_resolution(),
        "corrections": history.corrections(found.pk),
        "cancelled": history.cancellation(found),
        "taken_back": history.taken_back(found),
        **_proposal(request, found),
    }
    return render(request, "markets/detail.html", context)


def _proposal(request: HttpRequest, market: Market) -> dict[str, Any]:
    """Return the context of a proposed resolution, and whether the viewer can object to it."""
    proposal = settlement.open_proposal(market)
    if proposal is None:
        return {}
    in_time, user_id = proposal.review_until > timezone.now(), request.user.pk
    return {
        "proposal": proposal,
        "open_for": in_time,
        "can_object": in_time
        and user_id is not None
        and settlement.held_by(user_id, market)
        and not proposal.objections.filter(trader_id=user_id).exists(),
        "objections": proposal.objections.count(),
    }


async def object_to(request: HttpRequest, slug: str) -> HttpResponse:
    """Store an objection to a proposed resolution, and lead back to the market."""
    return await in_thread(_object_to, request, slug)


def _object_to(request: HttpRequest, slug: str) -> HttpResponse:
    if request.method != "POST":  # the address was typed, or gone back to
        return redirect("market", slug)
    if not request.user.is_authenticated:
        raise PermissionDenied
    try:
        found = markets.get_by_slug(slug, drafts=False)
        said = request.POST.get("text", "")
        proposals.object_to(market_id=found.pk, trader=request.user, now=timezone.now(), said=said)
    except NotFound:
        raise Http404 from None
    except AlreadyDone:
        messages.error(request, "You have objected already.")
    except Refused as refusal:
        messages.error(request, str(refusal))
    else:
        messages.success(request, "Your objection is noted. Who decides will read it.")
    return redirect(found.get_absolute_url())


def server_error(request: HttpRequest) -> HttpResponse:
    """Answer 503 if the database or Redis is down or busy, otherwise 500."""
    if not isinstance(sys.exc_info()[1], _UNAVAILABLE):
        return defaults.server_error(request)
    response = render(request, "503.html", status=503, using=None)
    response["Retry-After"] = str(Busy.retry_after)
    return response


def nothing_here(_request: HttpRequest, **_address: str) -> HttpResponse:
    """Answer 404 for a disabled address."""
    raise Http404
