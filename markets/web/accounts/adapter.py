"""The rules of this site, where django-allauth asks for them."""

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.mfa.adapter import DefaultMFAAdapter
from django.conf import settings
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext_lazy as _

from markets.domain.errors import Invalid, InvitationRefused
from markets.services.invitations import check_invitation
from markets.services.sign_up import check_name

_WRONG = _("Name and password do not belong together. Capitals matter in the password.")
_TOO_MANY = _("Too many attempts with a wrong password or code. Wait five minutes, then try again.")


class Adapter(DefaultAccountAdapter):  # type: ignore[misc]
    error_messages = {
        **DefaultAccountAdapter.error_messages,
        "username_password_mismatch": _WRONG,
        "email_password_mismatch": _WRONG,
        "too_many_login_attempts": _TOO_MANY,
        "incorrect_password": _("This is not your password."),
        "enter_current_password": _("This is not your password."),
        "email_taken": _("Somebody has signed up with this address: sign in, or use another."),
    }

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        """Return whether the request may sign up; else the page says `request.sign_up_refusal`."""
        if settings.SIGN_UP != "invitation":
            return bool(settings.SIGN_UP == "open")
        try:
            check_invitation(code=invitation_in(request), now=timezone.now())
        except InvitationRefused as refusal:
            if invitation_in(request):
                request.sign_up_refusal = str(refusal)  # type: ignore[attr-defined]
            return False
        return True

    def clean_username(self, username: str, shallow: bool = False) -> str:  # noqa: ARG002
        try:
            return check_name(username)
        except Invalid as refusal:
            raise ValidationError(str(refusal)) from refusal

    def is_safe_url(self, url: str | None) -> bool:
        """Return whether people may be sent there: to paths of this site only."""
        return (url or "").startswith("/") and url_has_allowed_host_and_scheme(url, None)

    def get_password_change_redirect_url(self, request: HttpRequest) -> str:  # noqa: ARG002
        return reverse("settings")


class SecondFactorAdapter(DefaultMFAAdapter):  # type: ignore[misc]
    error_messages = {
        **DefaultMFAAdapter.error_messages,
        "incorrect_code": _("This code is not right. Wait for the next one, and type that."),
    }

    def _get_user_identifier(self, user: Any) -> str:
        return str(user.get_username())

    def _get_site_name(self) -> str:
        return "Bellwether"


def invitation_in(request: HttpRequest) -> str:
    """Return the code in the form or in the link, or nothing."""
    return request.POST.get("invitation") or request.GET.get("invitation", "")
