"""The forms of signing in and up."""

from typing import Any

from allauth.account import forms as stock
from allauth.core import context
from allauth.mfa.webauthn import forms as passkeys
from django import forms
from django.conf import settings
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from markets.domain.limits import USERNAME_LENGTH
from markets.services.sign_up import sign_up
from markets.web.accounts.adapter import invitation_in


class SignInForm(stock.LoginForm):  # type: ignore[misc]
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        login = self.fields["login"]
        login.label, login.max_length = _("Name or e-mail"), 254
        login.widget.attrs |= {"autocomplete": "username", "autocapitalize": "none"}


class SignUpForm(stock.SignupForm):  # type: ignore[misc]
    """Also with the code of an invitation, from the link that led here."""

    invitation = forms.CharField(required=False, max_length=100, widget=forms.HiddenInput)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        name, email = self.fields["username"], self.fields["email"]
        name.label = _("Name")
        name.help_text = _("The name that you go by here. You can change it later.")
        name.widget.attrs |= {"maxlength": USERNAME_LENGTH, "autocapitalize": "none"}
        email.label = _("E-mail (optional)")
        email.help_text = _("Without one, a forgotten password cannot be reset.")
        self.fields["invitation"].initial = invitation_in(context.request)

    def try_save(self, request: HttpRequest) -> tuple[Any, Any]:
        """Make the person. Raise Invalid, InvitationRefused, Busy (`SignUp` shows them)."""
        return sign_up(
            name=self.cleaned_data["username"],
            invitation=invitation_in(request) if settings.SIGN_UP == "invitation" else None,
            now=timezone.now(),
            make=lambda: self.save(request),
        ), None


class PasskeyForm(passkeys.AddWebAuthnForm):  # type: ignore[misc]
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        name, alone = self.fields["name"], self.fields["passwordless"]
        name.label, name.help_text = _("Name"), _("So that you tell your passkeys apart.")
        name.max_length = 100
        alone.label, alone.initial = _("Sign in with it alone"), True
        alone.help_text = _("Without the tick it is a second factor beside your password.")
