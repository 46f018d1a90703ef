"""The button of the trade panel: one order, carried out once."""

from dataclasses import replace
from uuid import uuid4

from django.contrib import messages
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from markets.domain.amounts import MICRO, to_cents, to_micro, to_percent, to_text
from markets.domain.errors import IdempotencyConflict, Refused, SlippageExceeded
from markets.domain.orders import BUY, SELL, Order
from markets.domain.text import named
from markets.infra.threads import in_thread, turnstile
from markets.models import Market, Trade
from markets.selectors import portfolio
from markets.services import trading
from markets.web.pages import panel
from markets.web.pages.market import find, page


async def trade(request: HttpRequest, slug: str) -> HttpResponse:
    """Carry out an order, or show the panel again with what stands in the way."""
    if request.method != "POST":  # the address was typed, or gone back to
        return redirect("market", slug)
    found = await in_thread(find, slug)
    async with turnstile(found.pk):
        return await in_thread(_trade, request, found)


def _trade(request: HttpRequest, found: Market) -> HttpResponse:
    wanted = panel.of(request, found, request.POST)
    if wanted.balance is None:
        return to_sign_in(request, slug=found.slug)
    earlier = portfolio.trade_of_order(request.user, wanted.order_id)  # type: ignore[arg-type]
    if earlier:  # a double click, or a page gone back to: look before the price is asked about
        return _again(request, found, wanted, earlier)
    if wanted.order is None or wanted.problem:
        return _show(request, found, wanted)
    asked = _moved(request, wanted)
    if not asked and not request.POST.get("sure"):
        asked = panel.question(wanted)
    if asked:
        return _show(request, found, replace(wanted, question=asked))
    return _place(request, found, wanted)


def _place(request: HttpRequest, found: Market, wanted: panel.Panel) -> HttpResponse:
    assert wanted.order
    try:
        made, new = trading.place_trade(
            market_id=found.pk,
            trader=request.user,  # type: ignore[arg-type]  # signed in: there is a balance
            order=_guarded(wanted.order, request),
            client_order_id=wanted.order_id,
            now=timezone.now(),
        )
    except SlippageExceeded:
        again = panel.of(request, find(found.slug), request.POST)
        return _show(request, found, replace(again, question=_now_it_is(again)))
    except IdempotencyConflict:  # at the same moment
        earlier = portfolio.trade_of_order(request.user, wanted.order_id)  # type: ignore[arg-type]
        return _show(request, found, _other_order(wanted, earlier))
    except Refused as refusal:
        again = panel.of(request, find(found.slug), request.POST)
        return _show(request, found, replace(again, problem=again.problem or str(refusal)))
    return _placed(request, made, new=new)


def to_sign_in(request: HttpRequest, *, slug: str) -> HttpResponse:
    """Lead somebody whose session has ended to sign in, and then back to the order."""
    market = reverse("market", args=[slug])
    answer = redirect_to_login(f"{market}?{panel.typed(request.POST)}#panel")
    if panel.is_fetched(request):
        return HttpResponse(status=204, headers={"X-Go": answer["Location"]})
    return answer


def _guarded(order: Order, request: HttpRequest) -> Order:
    """Return the order with guards: a point around the average price that was shown, and the cost.

    An order to a chance is worth more when the price has moved away: what was shown is its limit.
    """
    seen = _seen(request)
    if order.side == SELL:
        return replace(order, min_price=max(1, seen - panel.POINT))
    most = _most(request) if order.target_price else None
    return replace(order, max_price=seen + panel.POINT, max_cost=most)


def _moved(request: HttpRequest, wanted: panel.Panel) -> str:
    """Return a question if the price is not the one that was shown any more."""
    quote, seen = wanted.quote, _seen(request)
    assert quote
    sent = [request.POST.get(name) for name in ("outcome", "side", "order")]
    if not seen or sent != [str(wanted.chosen.outcome.pk), wanted.side, wanted.order_id]:
        return _("Look at the figures first, then press once more.")
    worse = quote.average_price - seen if wanted.buys else seen - quote.average_price
    larger = bool(wanted.chance) and wanted.total > _most(request)
    return _now_it_is(wanted) if worse > panel.POINT or larger else ""


def _most(request: HttpRequest) -> int:
    """Return the total that the button named, and a hundredth more for the price's trembling."""
    total = _sent(request, "total")
    return max(1, total + total // 100)


def _seen(request: HttpRequest) -> int:
    """Return the average price that was shown, in millionths; 0 for none."""
    seen = _sent(request, "seen")
    return seen if 0 < seen < MICRO else 0


def _sent(request: HttpRequest, name: str) -> int:
    """Return an amount of the form in millionths; 0 for none."""
    try:
        return to_micro(request.POST.get(name, ""))
    except ValueError:
        return 0


def _now_it_is(wanted: panel.Panel) -> str:
    if wanted.quote is None:
        return ""
    price = {"price": to_percent(wanted.quote.before[wanted.quote.index])}
    if wanted.buys:
        return _("It is %(price)s now. Buy anyway?") % price
    return _("It is %(price)s now. Sell anyway?") % price


def _again(
    request: HttpRequest, found: Market, wanted: panel.Panel, earlier: Trade
) -> HttpResponse:
    """Tell what an order did that was carried out before, unless the form has another order now."""
    if wanted.order and wanted.quote and not wanted.problem:
        digest = _guarded(wanted.order, request).digest(found.pk)
        if digest != bytes(earlier.request_digest):
            return _show(request, found, _other_order(wanted, earlier))
    return _placed(request, earlier, new=False)


def _other_order(wanted: panel.Panel, earlier: Trade | None) -> panel.Panel:
    """The id was used for another order: its answer was lost, or the form is an old one."""
    told = _told(earlier) if earlier else ""
    said = _("Your order before this one went through: %(told)s Press again to trade once more.")
    return replace(wanted, question=said % {"told": told}, order_id=uuid4().hex)


def _told(trade: Trade) -> str:
    facts = {
        "shares": to_cents(trade.shares),
        "outcome": named(trade.outcome.label),
        "cost": to_cents(trade.cost),
    }
    if trade.side == BUY:
        return _("Bought %(shares)s %(outcome)s for %(cost)s credits.") % facts
    return _("Sold %(shares)s %(outcome)s for %(cost)s credits.") % facts


def _placed(request: HttpRequest, made: Trade, *, new: bool) -> HttpResponse:
    done = _told(made) if new else _("This order was carried out before. ") + _told(made)
    found = find(made.market.slug)
    if not panel.is_fetched(request):
        messages.success(request, done)
        return redirect(f"{found.get_absolute_url()}#panel")
    fresh = panel.of(request, found, {"outcome": str(made.outcome_id)})
    fresh = replace(fresh, done=done, undo=_undo(found, made) if new else None)
    context = {"market": found, "panel": fresh, "held": fresh.held}
    return render(request, "markets/_traded.html", context)


def _undo(found: Market, made: Trade) -> panel.Undo | None:
    if made.side != BUY:
        return None
    sale = Order(outcome_id=made.outcome_id, side=SELL, shares=made.shares)
    try:
        back = trading.quote(market=found, order=sale, now=timezone.now())
    except Refused:
        return None
    return panel.Undo(made, back.cost, to_text(back.average_price), uuid4().hex)


def _show(request: HttpRequest, found: Market, shown: panel.Panel) -> HttpResponse:
    if panel.is_fetched(request):
        return render(request, "markets/_quote.html", {"market": found, "panel": shown})
    return page(request, found, shown)
