"""A market's page, with the trade panel in it."""

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from markets.domain.errors import AlreadyDone, NotFound, Refused
from markets.domain.permissions import Permission, may
from markets.domain.text import is_id
from markets.infra.threads import in_thread
from markets.models import Market
from markets.presenters.chart import Chart, line_chart
from markets.selectors import charts, comments, history, markets, settlement, timeline
from markets.services import proposals
from markets.web import hot
from markets.web.pages import panel

TAPE: int = 12  # trades
COMMENTS: int = 30  # with their answers


@require_safe
async def market(request: HttpRequest, slug: str) -> HttpResponse:
    return await in_thread(_market, request, slug)


def _market(request: HttpRequest, slug: str) -> HttpResponse:
    found = find(slug, drafts=may(request.user, Permission.SEE_DRAFTS))
    if set(request.GET) <= {"range"} and request.GET.get("range", "All") in charts.RANGES:
        hot.share(request, found.pk)
    shown = panel.of(request, found, request.GET)
    if panel.is_fetched(request):
        return render(request, "markets/_quote.html", {"market": found, "panel": shown})
    return page(request, found, shown)


def find(slug: str, *, drafts: bool = False) -> Market:
    """Raise Http404."""
    try:
        return markets.get_by_slug(slug, drafts=drafts)
    except NotFound:
        raise Http404 from None


def page(
    request: HttpRequest, found: Market, shown: panel.Panel, *, said: Any = None
) -> HttpResponse:
    """Return the whole page of a market; `said` is a comment that was refused."""
    first, price = found.shown(1)[0]
    context: dict[str, Any] = {
        "market": found,
        "panel": shown,
        "first": first,
        "price": price,
        "change": price - charts.day_ago([first], now=timezone.now())[first.pk],
        "chart": _chart(found, request.GET.get("range", "")),
        "ranges": charts.RANGES,
        "tape": history.trades(found.pk).select_related("outcome")[:TAPE],
        "edits": timeline.edits(found),
        "resolution": found.standing_resolution(),
        "cancelled": history.cancellation(found),
        "taken_back": history.taken_back(found),
        "held": shown.held,
        **_comments(request, found, said),
        **_proposal(request, found),
    }
    return render(request, "markets/market.html", context)


def _chart(found: Market, wanted: str) -> Chart:
    series = charts.market_series(found, wanted=wanted, now=timezone.now())
    lines = [(outcome.pk, outcome.label, prices) for outcome, prices in series.lines]
    return line_chart(series.range, series.start, series.end, lines)


def _comments(request: HttpRequest, market: Market, said: Any) -> dict[str, Any]:
    """Return the newest comments, those that staff have pinned first; drafts have none.

    What was `said` where no form is shown stands in the form for a new comment.
    """
    if not market.public:
        return {}
    before = request.GET.get("before", "")
    before_id = int(before) if is_id(before) else None
    threads = comments.newest(market.pk, before_id=before_id, most=COMMENTS + 1)
    older = threads[COMMENTS - 1].pk if len(threads) > COMMENTS else None
    threads = threads[:COMMENTS]
    if said:
        shown = [one for thread in threads for one in (thread, *thread.replies.all())]
        open_ = [one for one in shown if not one.hidden_at]
        places: set[tuple[int | None, int | None]] = {
            (one.pk, None) for one in open_ if not one.parent_id
        }
        places |= {(None, one.pk) for one in open_ if one.author_id == request.user.pk}
        if (said.parent_id, said.comment_id) not in places:
            said = said._replace(parent_id=None, comment_id=None)
    return {
        "talks": True,
        "said": said,
        "threads": threads,
        "older_than": older,
        "older": f"?before={before_id}" if before_id is not None else "",
        "holds": comments.holdings(market.pk, threads),
        "shows_holdings": settings.SHOW_HOLDINGS,
    }


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
    found, said = find(slug), request.POST.get("text", "")
    try:
        proposals.object_to(market_id=found.pk, trader=request.user, now=timezone.now(), said=said)
    except AlreadyDone:
        messages.error(request, _("You have objected already."))
    except Refused as refusal:
        messages.error(request, str(refusal))
    else:
        messages.success(request, _("Your objection is noted. Who decides will read it."))
    return redirect(found.get_absolute_url())
