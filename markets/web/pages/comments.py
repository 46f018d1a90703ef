"""Comments on a market's page: a form leads to its comment, or shows what stands in the way."""

from collections.abc import Callable
from typing import NamedTuple

from django.contrib import messages
from django.contrib.auth.views import redirect_to_login
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from markets.domain.errors import AlreadyDone, Refused
from markets.domain.text import is_id
from markets.infra.threads import in_thread
from markets.models import Comment, Market
from markets.selectors import comments as reading
from markets.services import comments
from markets.web.pages import panel
from markets.web.pages.market import COMMENTS, find, page
from markets.web.pages.own import OwnRequest

VERSIONS: int = 50  # earlier texts on their page


class Said(NamedTuple):
    """What somebody typed, where, and why it is not stored."""

    text: str
    problem: str
    parent_id: int | None = None
    comment_id: int | None = None  # that was to be edited

    @property
    def is_new(self) -> bool:
        return self.parent_id is None and self.comment_id is None


async def write(request: HttpRequest, slug: str) -> HttpResponse:
    return await in_thread(_carried_out, request, slug, _write)


async def edit(request: HttpRequest, slug: str, comment_id: int) -> HttpResponse:
    return await in_thread(_carried_out, request, slug, _edit, comment_id)


async def report(request: HttpRequest, slug: str, comment_id: int) -> HttpResponse:
    return await in_thread(_carried_out, request, slug, _report, comment_id)


def again(
    request: HttpRequest, market: Market, problem: str, comment_id: int | None = None
) -> HttpResponse:
    """Return the market's page with what somebody typed, and with the problem."""
    said = Said(request.POST.get("text", ""), problem, _parent(request), comment_id)
    if not said.text:
        messages.error(request, problem)
    return page(request, market, panel.of(request, market, {}), said=said)


def _carried_out(
    request: HttpRequest,
    slug: str,
    work: Callable[..., int],
    comment_id: int | None = None,
) -> HttpResponse:
    if request.method != "POST":  # the address was typed, or gone back to
        return redirect("market", slug)
    market = find(slug)
    if comment_id and not market.comments.filter(pk=comment_id).exists():
        raise Http404
    if not request.user.is_authenticated:
        if work is _report:
            return redirect_to_login(f"{market.get_absolute_url()}#comment-{comment_id}")
        out = _("You are signed out. Sign in in another tab, then send it again: it is kept here.")
        return again(request, market, out, comment_id)
    try:
        shown = work(request, market, comment_id or 0)
    except Refused as refusal:
        if work is _report:
            messages.error(request, str(refusal))
            return redirect(market)
        return again(request, market, str(refusal), comment_id)
    return redirect(f"{market.get_absolute_url()}{_older(market, shown)}#comment-{shown}")


def _older(market: Market, comment_id: int) -> str:
    """Return the query of the page that shows a comment, if it is not the newest one."""
    comment = Comment.objects.get(pk=comment_id)
    began = comment.parent_id or comment.pk
    newest = reading.newest(market.pk, before_id=None, most=COMMENTS)
    return "" if began in {one.pk for one in newest} else f"?before={began + 1}"


@require_safe
async def versions(request: HttpRequest, slug: str, comment_id: int) -> HttpResponse:
    return await in_thread(_versions, request, slug, comment_id)


def _versions(request: HttpRequest, slug: str, comment_id: int) -> HttpResponse:
    market = find(slug)
    comment = get_object_or_404(market.comments, pk=comment_id, hidden_at=None)
    context = {"market": market, "comment": comment, "versions": comment.versions.all()[:VERSIONS]}
    return render(request, "markets/versions.html", context)


def _write(request: OwnRequest, market: Market, _comment_id: int) -> int:
    said, parent, now = request.POST.get("text", ""), _parent(request), timezone.now()
    comment, _new = comments.write(
        market_id=market.pk, author=request.user, said=said, now=now, parent_id=parent
    )
    return comment.pk


def _edit(request: OwnRequest, _market: Market, comment_id: int) -> int:
    said, now = request.POST.get("text", ""), timezone.now()
    return comments.edit(comment_id=comment_id, author=request.user, said=said, now=now).pk


def _report(request: OwnRequest, _market: Market, comment_id: int) -> int:
    reason, now = request.POST.get("reason", ""), timezone.now()
    try:
        comments.report(comment_id=comment_id, reporter=request.user, reason=reason, now=now)
    except AlreadyDone:
        messages.success(request, _("You have reported this already. Staff will look at it."))
    else:
        messages.success(request, _("Thank you. Staff will look at it."))
    return comment_id


def _parent(request: HttpRequest) -> int | None:
    text = request.POST.get("parent", "")
    if not text:
        return None
    return int(text) if is_id(text) else 0  # of no comment
