"""Invitations: staff make them, hand out their links, and revoke them."""

from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpResponse
from django.urls import reverse
from django.utils import timezone
from unfold.widgets import UnfoldAdminIntegerFieldWidget, UnfoldAdminTextInputWidget

from markets.admin.base import ReadOnlyAdmin, StaffRequest, asks
from markets.admin.pages import ConfirmedPage, opens
from markets.domain.errors import Refused
from markets.domain.permissions import Permission
from markets.models import Invitation
from markets.services import invitations

# a person's address is on their page, and a second factor can be removed there
admin.site.unregister([EmailAddress, Authenticator])


class InviteForm(forms.Form):
    count = forms.IntegerField(
        initial=1, label="How many", help_text="Each link is for one person.",
        min_value=1, max_value=invitations.MOST, widget=UnfoldAdminIntegerFieldWidget,
    )  # fmt: skip
    note = forms.CharField(
        required=False, max_length=invitations.NOTE_LENGTH, widget=UnfoldAdminTextInputWidget,
        help_text="For whom they are. Staff will read it.",
    )  # fmt: skip
    days = forms.IntegerField(
        initial=14, min_value=1, max_value=365, label="Good for how many days",
        widget=UnfoldAdminIntegerFieldWidget,
    )  # fmt: skip


class InvitePage(ConfirmedPage):
    """One step: the answer to the form shows the links, and nothing shows them again."""

    permission = Permission.INVITE_PEOPLE
    title = "Invite people"
    verb = "Make the links"
    warning = "Copy the links now. They are shown this once and are not stored."
    label = "Links, one for each person"
    taken = "I have copied them"
    path = "invite"
    form_class = InviteForm
    template_name = "admin/invite.html"

    def form_valid(self, form: Any) -> HttpResponse:
        wanted, now = form.cleaned_data, timezone.now()
        try:
            codes = invitations.make_invitations(
                actor=self.request.user,
                count=wanted["count"],
                note=wanted["note"],
                expires_at=now + timedelta(days=wanted["days"]),
                now=now,
            )
        except Refused as refusal:
            return self.refuse(form, refusal)
        page = f"{settings.BASE_URL}{reverse('account_signup')}"
        links = [f"{page}?{urlencode({'invitation': code})}" for code in codes]
        return self.show(form, secret="\n".join(links), rows=min(len(links), 12))


@admin.register(Invitation)
class InvitationAdmin(ReadOnlyAdmin):
    list_display = [
        "__str__", "created_by", "created_at", "expires_at", "used_by", "used_at", "revoked_at",
    ]  # fmt: skip
    list_select_related = ["created_by", "used_by"]
    search_fields = ["note", "used_by__username"]
    fields = (
        "note", "created_by", "created_at", "expires_at", "used_by", "used_at", "revoked_at",
    )  # fmt: skip
    actions = ["withdraw"]
    actions_list = ["invite"]
    invite = opens(InvitePage)
    has_invite_permission = asks(Permission.INVITE_PEOPLE)

    @admin.action(description="Revoke the chosen invitations", permissions=["invite"])
    def withdraw(self, request: StaffRequest, chosen: QuerySet[Invitation]) -> None:
        ids = list(chosen.values_list("pk", flat=True))
        revoked = invitations.revoke_invitations(ids=ids, now=timezone.now())
        messages.success(request, f"{revoked} invitation(s) revoked.")
