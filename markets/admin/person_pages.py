"""The pages behind the buttons of a person's page: grant credits, suspend and lift, issue a key."""

from datetime import date, datetime, time
from decimal import Decimal
from typing import Any
from uuid import uuid4

from django import forms
from django.contrib import messages
from django.http import Http404, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import cached_property
from unfold.enums import ActionVariant
from unfold.widgets import (
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminDecimalFieldWidget,
    UnfoldAdminTextInputWidget,
)

from markets.admin.pages import ConfirmedPage
from markets.admin.traders import state_of
from markets.domain.amounts import MICRO, to_text
from markets.domain.errors import AlreadyDone, Refused
from markets.domain.limits import REASON_LENGTH
from markets.domain.permissions import Permission
from markets.models import Scope
from markets.selectors import portfolio
from markets.selectors.accounts import has_second_factor
from markets.services import ledger, people


class PersonPage(ConfirmedPage):
    """A page about the user in its address."""

    form_template = "admin/people/heading.html"
    preview_template = "admin/people/preview.html"

    @cached_property
    def person(self) -> Any:
        person = self.model_admin.get_object(self.request, self.kwargs["object_id"])
        if person is None:
            raise Http404("There is no such user.")
        return person

    def about(self) -> str:
        """Return a sentence that stands above the form."""
        return ""

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        person = self.person
        more = {"person": person, "object": person, "about": self.about()}
        return {**super().get_context_data(**kwargs), **more}


class ReasonForm(forms.Form):
    reason = forms.CharField(
        max_length=REASON_LENGTH, widget=UnfoldAdminTextInputWidget, help_text="Staff will read it."
    )


class GrantForm(forms.Form):
    amount = forms.DecimalField(
        max_digits=15, decimal_places=6, widget=UnfoldAdminDecimalFieldWidget,
        help_text="In credits. A negative amount takes them away.",
    )  # fmt: skip
    reason = forms.CharField(
        max_length=REASON_LENGTH, widget=UnfoldAdminTextInputWidget,
        help_text="It stands in the statement, where the person reads it, too.",
    )  # fmt: skip
    request_key = forms.CharField(max_length=40, widget=forms.HiddenInput)


class GrantPage(PersonPage):
    permission = Permission.GRANT_CREDITS
    title = "Grant or take credits"
    verb = "Confirm"
    form_class = GrantForm

    def get_initial(self) -> dict[str, Any]:
        return {"request_key": uuid4().hex}

    def about(self) -> str:
        name, balance = self.person.get_username(), self.person.balance
        if balance is None:
            return f"{name} has not traded yet and begins with {to_text(self._spendable)} credits."
        return f"{name} has {to_text(balance)} credits."

    @cached_property
    def _spendable(self) -> int:
        return portfolio.spendable(self.person)

    def basis(self) -> str:
        """A grant adds to whatever the balance is by then."""
        return "any balance"

    def preview(self, form: Any) -> dict[str, Any]:
        amount, before = self._amount(form), self._spendable
        ledger.check_grant(amount, before)
        name = self.person.get_username()
        will = f"{name} has {to_text(before)} credits and will have {to_text(before + amount)}."
        lines = [will, f"Reason: {form.cleaned_data['reason']}"]
        if self.person.balance is None:
            lines.insert(1, f"The account of {name} opens with it: {name} has not traded yet.")
        return {"lines": lines}

    def act(self, form: Any) -> str:
        amount, reason = self._amount(form), form.cleaned_data["reason"]
        name, now = self.person.get_username(), timezone.now()
        did = f"{name} was given {to_text(amount)} credits"
        if amount < 0:
            did = f"{to_text(-amount)} credits were taken from {name}"
        try:
            ledger.grant(
                user=self.person,
                amount=amount,
                actor=self.request.user,
                now=now,
                reason=reason,
                request_key=form.cleaned_data["request_key"],
            )
        except AlreadyDone:
            return f"{did} by an earlier press of the same button, and not again."
        people.record_change(
            self.person, f"{did}. Reason: {reason}", actor=self.request.user, now=now
        )
        return f"{did}: {reason}"

    @staticmethod
    def _amount(form: Any) -> int:
        wanted: Decimal = form.cleaned_data["amount"]
        return int(wanted * MICRO)


class SuspendPage(PersonPage):
    permission = Permission.EDIT_PEOPLE
    title = verb = "Suspend"
    variant = ActionVariant.DANGER
    form_class = ReasonForm
    active = False
    done = "is suspended"

    def about(self) -> str:
        return "A suspended person cannot sign in, trade or use a key until it is lifted."

    def basis(self) -> str:
        return state_of(self.person)

    def form_valid(self, form: Any) -> HttpResponse:
        """Do nothing the second time, after a double click or when somebody was faster."""
        if self.request.POST.get("step") == "confirm" and self.person.is_active == self.active:
            messages.info(self.request, f"{self.person.get_username()} {self.done} already.")
            return HttpResponseRedirect(self.get_success_url())
        return super().form_valid(form)

    def preview(self, form: Any) -> dict[str, Any]:
        people.check_active(self.person, self.active, actor=self.request.user)
        return {"lines": [*self.lines(), f"Reason: {form.cleaned_data['reason']}"]}

    def lines(self) -> list[str]:
        name = self.person.get_username()
        live = portfolio.live_keys(self.person, now=timezone.now()).count()
        return [
            f"{name} will be signed out everywhere and cannot sign in or trade.",
            f"API keys that rest until it is lifted: {live}. Open private streams end within 30 s.",
            "Credits and shares stay as they are.",
        ]

    def act(self, form: Any) -> str:
        service = people.lift_suspension if self.active else people.suspend_user
        service(
            user_id=self.person.pk,
            actor=self.request.user,
            reason=form.cleaned_data["reason"],
            now=timezone.now(),
        )
        return f"{self.person.get_username()} {self.done}: {form.cleaned_data['reason']}"


class LiftPage(SuspendPage):
    title = verb = "Lift the suspension"
    variant = ActionVariant.DEFAULT
    active = True
    done = "is no longer suspended"

    def about(self) -> str:
        return "The person can sign in and trade again, and their keys work again."

    def lines(self) -> list[str]:
        name = self.person.get_username()
        return [f"{name} can sign in and trade again.", "API keys work again from this moment."]


class RemoveFactorPage(PersonPage):
    permission = Permission.EDIT_PEOPLE
    title = "Remove the second factor"
    verb = "Remove"
    variant = ActionVariant.DANGER
    form_class = ReasonForm

    def about(self) -> str:
        return "For somebody who has lost phone, passkey and recovery codes. Make sure who asks."

    def blocked(self) -> str:
        return "" if has_second_factor(self.person) else "This person has no second factor."

    def basis(self) -> str:
        return "any factor"

    def preview(self, form: Any) -> dict[str, Any]:
        people.check_outranks(self.person, actor=self.request.user)
        will = f"{self.person.get_username()} will sign in with the password alone."
        return {"lines": [will, f"Reason: {form.cleaned_data['reason']}"]}

    def act(self, form: Any) -> str:
        people.remove_second_factor(
            user=self.person,
            actor=self.request.user,
            reason=form.cleaned_data["reason"],
            now=timezone.now(),
        )
        return f"The second factor of {self.person.get_username()} is removed."


class KeyForm(forms.Form):
    name = forms.CharField(
        max_length=80, widget=UnfoldAdminTextInputWidget, help_text="What the key is for."
    )
    scopes = forms.MultipleChoiceField(
        choices=[
            (Scope.READ, "read: see what the person sees"),
            (Scope.TRADE, "trade: buy and sell for the person"),
            (Scope.STAFF, "staff: what the person may do as staff"),
        ],
        initial=[Scope.READ],
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
        label="What it may do",
    )
    expires = forms.DateField(
        required=False,
        widget=UnfoldAdminTextInputWidget({"type": "date"}),
        label="Ends on",
        help_text="At the end of this day. Left empty, the key works until it is revoked.",
    )


class IssueKeyPage(PersonPage):
    """One step: the answer to the form shows the key, and nothing shows it again."""

    permission = Permission.MANAGE_KEYS
    title = "Issue an API key"
    verb = "Issue the key"
    warning = "Copy the key now. It is shown this once and is not stored."
    label = "The key"
    taken = "I have copied it"
    form_class = KeyForm
    template_name = "admin/people/issue_key.html"

    def about(self) -> str:
        return "Whoever has the key acts as this person. The key is shown once, on the next page."

    def form_valid(self, form: Any) -> HttpResponse:
        wanted = form.cleaned_data
        try:
            key, secret = people.issue_key_for(
                user_id=self.person.pk,
                actor=self.request.user,
                now=timezone.now(),
                name=wanted["name"],
                scopes=wanted["scopes"],
                expires_at=wanted["expires"] and end_of(wanted["expires"]),
            )
        except Refused as refusal:
            return self.refuse(form, refusal)
        return self.show(form, key=key, secret=secret)

    def get_success_url(self) -> str:
        return reverse("admin:auth_user_keys", args=[self.person.pk])


def end_of(day: date) -> datetime:
    return timezone.make_aware(datetime.combine(day, time.max))
