"""The admin's door: people sign in and out, and change a password, on the pages of everybody."""

from typing import Any

from allauth.account.views import logout
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from unfold.sites import UnfoldAdminSite

from markets.selectors.accounts import has_second_factor
from markets.web.accounts.adapter import Adapter


class Site(UnfoldAdminSite):  # type: ignore[misc]
    def has_permission(self, request: HttpRequest) -> bool:
        """Return whether somebody is staff, with a second factor where the site demands one."""
        return bool(super().has_permission(request)) and not self._lacks_factor(request)

    def _lacks_factor(self, request: Any) -> bool:
        if not settings.STAFF_SECOND_FACTOR:
            return False
        if not hasattr(request, "has_second_factor"):  # asked many times while a page is made
            request.has_second_factor = has_second_factor(request.user)
        return not request.has_second_factor

    def login(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:  # noqa: ARG002
        """Lead to the sign-in page, to a second factor, or on to where the person wanted to go."""
        onward = request.GET.get("next", "")
        onward = onward if Adapter().is_safe_url(onward) else reverse("admin:index")
        if not request.user.is_authenticated:
            return redirect_to_login(onward)
        if self.has_permission(request):
            return redirect(onward)
        if not super().has_permission(request):
            return render(request, "account/not_staff.html", status=403)
        request.session["after_second_factor"] = onward
        why = _("Staff of this site need a second factor, so that a stolen password opens nothing.")
        messages.info(request, why)
        return redirect("mfa_index")

    def logout(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:  # noqa: ARG002
        answer: HttpResponse = logout(request)
        return answer

    def password_change(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:  # noqa: ARG002
        return redirect("account_change_password")
