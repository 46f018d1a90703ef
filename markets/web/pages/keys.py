"""One's API keys: make one, see it once, revoke it."""

from datetime import datetime, timedelta
from typing import Any, Final
from uuid import uuid4

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods

from markets.domain.errors import AlreadyDone, Invalid, NotFound, Refused
from markets.domain.limits import MOST_KEYS
from markets.models import ApiKey, Scope
from markets.selectors import portfolio
from markets.services import keys as services
from markets.web.pages.own import OwnRequest, one_page, own

ROWS: Final = 30
SCOPES: Final = {
    Scope.READ: gettext_lazy("Read your balance, shares, trades and statement"),
    Scope.TRADE: gettext_lazy("Trade with your credits"),
    Scope.STAFF: gettext_lazy("Do on the site whatever you may do as staff"),
}
LIVES: Final = {  # days, by the choice of the form
    "30": gettext_lazy("in 30 days"),
    "90": gettext_lazy("in 90 days"),
    "365": gettext_lazy("in a year"),
    "": gettext_lazy("never"),
}


@require_http_methods(["GET", "HEAD", "POST"])
@own
def keys(request: OwnRequest) -> HttpResponse:
    if request.method != "POST":
        return _show(request, wanted={"scopes": [Scope.READ], "life": "90"})
    wanted = {
        "name": request.POST.get("name", ""),
        "scopes": request.POST.getlist("scopes"),
        "life": request.POST.get("life", "30"),
    }
    return _make(request, wanted)


def _make(request: OwnRequest, wanted: dict[str, Any]) -> HttpResponse:
    """Answer with the page that shows the new key: no address does, so none shows it again."""
    now = timezone.now()
    try:
        key, secret = services.issue_key(
            user=request.user,
            now=now,
            name=wanted["name"],
            scopes=wanted["scopes"],
            expires_at=_end(wanted["life"], now),
            request_key=request.POST.get("once") or None,
        )
    except AlreadyDone:
        said = _("That key was made and shown before. If you have lost it, revoke it.")
        messages.error(request, said)
        return redirect("keys")
    except Refused as refusal:
        wrong = getattr(refusal, "fields", {})
        refused = "" if wrong else str(refusal)
        return _show(request, wanted=wanted, wrong=wrong, refused=refused, status=422)
    return render(request, "markets/key_made.html", {"key": key, "secret": secret})


def _show(
    request: OwnRequest, *, wanted: dict[str, Any], status: int = 200, **more: Any
) -> HttpResponse:
    listed = one_page(request, portfolio.keys(request.user), ["-id"], ROWS)
    scopes = [scope for scope in SCOPES if scope != Scope.STAFF or request.user.is_staff]
    context = {
        "keys": [(key, _state(key)) for key in listed.items],
        "next": listed.next,
        "scopes": [(scope, SCOPES[scope], scope in wanted["scopes"]) for scope in scopes],
        "lives": LIVES,
        "most": MOST_KEYS,
        "once": uuid4().hex,
        "wanted": wanted,
    }
    return render(request, "markets/keys.html", {**context, **more}, status=status)


def _end(life: str, now: datetime) -> datetime | None:
    """Raise Invalid for what the form does not offer."""
    if life not in LIVES:
        raise Invalid(life=_("Choose when the key expires."))
    return now + timedelta(days=int(life)) if life else None


def _state(key: ApiKey) -> str:
    if key.revoked_at:
        return "revoked"
    return "expired" if key.expires_at and key.expires_at <= timezone.now() else "live"


@own
def revoke(request: OwnRequest, key_id: int) -> HttpResponse:
    if request.method != "POST":  # the address was typed, or gone back to
        return redirect("keys")
    try:
        services.revoke_key(user=request.user, key_id=key_id, now=timezone.now())
    except NotFound:
        raise Http404 from None
    messages.success(request, _("The key is revoked: nothing works with it any more."))
    return redirect("keys")
