"""Signing up, with what the service refuses shown where it belongs."""

from typing import Any

from allauth.account.views import SignupView
from django.http import HttpResponse

from markets.domain.errors import Invalid, InvitationRefused


class SignUp(SignupView):  # type: ignore[misc]
    def form_valid(self, form: Any) -> HttpResponse:
        try:
            answer: HttpResponse = super().form_valid(form)
        except Invalid as refusal:  # somebody was faster with this name
            form.add_error("username", str(refusal))
            answer = self.form_invalid(form)
        except InvitationRefused as refusal:  # … or with this invitation
            self.request.sign_up_refusal = str(refusal)
            answer = self.closed()
        return answer
