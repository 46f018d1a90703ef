"""One's settings: the name here, the rest on pages of their own."""

from allauth.core import ratelimit
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from markets.domain.errors import Invalid
from markets.domain.limits import USERNAME_LENGTH
from markets.services.sign_up import rename
from markets.web.pages.errors import too_many
from markets.web.pages.own import OwnRequest, own


@require_http_methods(["GET", "HEAD", "POST"])
@own
def settings(request: OwnRequest) -> HttpResponse:
    name, error = request.user.get_username(), ""
    if request.method == "POST":
        if not ratelimit.consume(request, action="change_name"):
            return too_many(request)
        name = request.POST.get("username", "")
        try:
            new = rename(user=request.user, name=name, now=timezone.now())
        except Invalid as refusal:
            error = str(refusal)
        else:
            messages.success(request, _("You are called %s now.") % new)
            return redirect("settings")
    context = {"name": name, "error": error, "most": USERNAME_LENGTH}
    return render(request, "markets/settings.html", context, status=422 if error else 200)
