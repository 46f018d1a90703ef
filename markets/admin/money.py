"""The ledger, trades and positions, and the action that grants credits."""

from decimal import Decimal
from typing import Any, cast
from uuid import uuid4

from django import forms
from django.contrib import admin, messages
from django.contrib.auth import get_user_model
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from unfold.forms import ActionForm
from unfold.widgets import UnfoldAdminTextInputWidget

from markets.admin.base import (
    NamesAdmin,
    ReadOnlyAdmin,
    ReadOnlyInline,
    ServiceAdmin,
    ServiceForm,
    StaffRequest,
    amount,
    asks,
    beside,
)
from markets.admin.exporting import EXPORT_BUTTON, Exporting
from markets.domain.amounts import MICRO, to_text
from markets.domain.errors import AlreadyDone, Invalid, Refused
from markets.domain.limits import REASON_LENGTH
from markets.domain.permissions import Permission
from markets.models import Account, AuditRun, JournalEntry, Position, Posting, Resolution, Trade
from markets.services import ledger

User = get_user_model()


class GrantFields(forms.Form):
    """The values of the action "Grant". A negative amount takes credits away."""

    amount = forms.DecimalField(max_digits=15, decimal_places=6)
    reason = forms.CharField(max_length=REASON_LENGTH)
    request_key = forms.CharField()


class GrantForm(ActionForm):
    """The list of actions with inputs for "Grant", which `GrantFields` validates."""

    amount = forms.CharField(required=False, label="", widget=beside("Credits", "grant"))
    reason = forms.CharField(required=False, label="", widget=beside("Reason", "grant"))
    request_key = forms.CharField(
        required=False, label="", initial=lambda: uuid4().hex, widget=forms.HiddenInput
    )


_ACCOUNT = ("kind", "user", "market", amount("balance", "Credits"))


class AccountForm(ServiceForm):
    """Opens an account for somebody who has not traded yet."""

    username = forms.CharField(
        widget=UnfoldAdminTextInputWidget,
        help_text="Of somebody who has not traded yet. The account opens with the starting grant; "
        "more credits are an action of the list.",
    )

    class Meta:
        model = Account
        fields: tuple[str, ...] = ()


@admin.register(Account)
class AccountAdmin(ReadOnlyAdmin, NamesAdmin, ServiceAdmin):
    form = AccountForm
    list_display = ["__str__", "kind", amount("balance", "Credits")]
    list_filter = ["kind"]
    list_select_related = ["user", "market"]
    person_field, market_field = "user", "market"
    search_help_text = "The beginning of a username, or words of a market"
    ordering = ["-id"]
    action_form = GrantForm
    actions = ["grant"]
    has_grant_permission = asks(Permission.GRANT_CREDITS)
    has_add_permission = has_grant_permission

    def get_fields(self, request: HttpRequest, obj: Account | None = None) -> Any:
        return _ACCOUNT if obj else ("username",)

    def get_readonly_fields(self, request: HttpRequest, obj: Account | None = None) -> Any:
        return _ACCOUNT if obj else ()

    def save(self, request: StaffRequest, form: Any, formsets: Any, change: bool) -> Account:
        name = form.cleaned_data["username"]
        user = User.objects.filter(username=name).first()
        if user is None:
            raise Invalid(username=f"Nobody has the username {name!r}.")
        if Account.objects.filter(user=user).exists():
            raise Invalid(username=f"{name} has an account already: find it in the list.")
        return ledger.add_account(user=user, now=timezone.now())

    @admin.action(description="Grant (or take) credits, with a reason", permissions=["grant"])
    def grant(self, request: StaffRequest, accounts: QuerySet[Account]) -> None:
        form = GrantFields(request.POST)
        if not form.is_valid():
            messages.error(request, "Give an amount of credits and a reason beside the action.")
            return
        wanted = form.cleaned_data
        credits_ = int(cast(Decimal, wanted["amount"]) * MICRO)
        for account in accounts.select_related("user"):
            if account.user is None:
                messages.error(request, f"{account}: only traders are given credits.")
                continue
            try:
                ledger.grant(
                    user=account.user,
                    amount=credits_,
                    actor=request.user,
                    now=timezone.now(),
                    reason=wanted["reason"],
                    request_key=f"{wanted['request_key'][:40]}:{account.pk}",
                )
            except AlreadyDone as refusal:
                messages.warning(request, f"{account}: {refusal}")
            except Refused as refusal:
                messages.error(request, f"{account}: {refusal}")
            else:
                done = f"{account}: {to_text(credits_)} credits, {wanted['reason']}."
                messages.success(request, done)


class PostingInline(ReadOnlyInline):
    model = Posting
    ordering = ["id"]
    fields = readonly_fields = [
        "account", amount("amount", "Credits"), amount("balance", "Balance after"),
    ]  # fmt: skip

    def get_queryset(self, request: HttpRequest) -> QuerySet[Posting]:
        return super().get_queryset(request).select_related("account__user", "account__market")


@admin.register(JournalEntry)
class JournalEntryAdmin(Exporting, ReadOnlyAdmin):
    actions_list = [EXPORT_BUTTON]
    inlines = [PostingInline]
    list_display = ["id", "at", "kind", "market", "actor", "note"]
    list_filter = ["kind"]
    list_select_related = ["market", "actor"]
    ordering = ["-id"]
    fields = ("kind", "at", "market", "actor", "note", "reverses")


_TRADED = (amount("shares", "Shares"), amount("cost", "Credits"))


@admin.register(Trade)
class TradeAdmin(Exporting, ReadOnlyAdmin, NamesAdmin):
    actions_list = [EXPORT_BUTTON]
    list_display = ["id", "at", "market", "outcome", "trader", "side", *_TRADED]
    list_filter = ["side"]
    list_select_related = ["market", "outcome", "trader"]
    person_field, market_field = "trader", "market"
    search_help_text = "The beginning of a username, or words of a market"
    fields = (
        "market", "outcome", "trader", "side", *_TRADED, amount("price_before", "Price before"),
        amount("price_after", "Price after"), "seq", "at", "client_order_id", "entry",
    )  # fmt: skip


@admin.register(Position)
class PositionAdmin(Exporting, ReadOnlyAdmin, NamesAdmin):
    actions_list = [EXPORT_BUTTON]
    list_display = fields = (
        "trader", "market", "outcome", amount("shares", "Shares"),
        amount("cost_basis", "Cost of the shares"), amount("realised", "Profit taken"),
        amount("net_cost", "Paid in"), amount("payout", "Paid out"),
    )  # fmt: skip
    list_select_related = ["market", "outcome", "trader"]
    person_field, market_field = "trader", "market"
    search_help_text = "The beginning of a username, or words of a market"


@admin.register(Resolution)
class ResolutionAdmin(ReadOnlyAdmin):
    list_display = ["market", "resolved_at", "resolved_by", "reversed_at"]
    list_select_related = ["market", "resolved_by"]
    fields = (
        "market", "paid", "evidence_url", "note", "resolved_at", "resolved_by", "entry",
        "reversed_at",
    )  # fmt: skip

    @admin.display(description="A share pays")
    def paid(self, resolution: Resolution) -> str:
        payouts = resolution.payouts.select_related("outcome")
        return ", ".join(f"{payout.outcome.label} {to_text(payout.weight)}" for payout in payouts)


@admin.register(AuditRun)
class AuditRunAdmin(ReadOnlyAdmin):
    list_display = ["at", "checks", "count"]
    fields = ("at", "checks", "breaches")

    @admin.display(description="Breaches")
    def count(self, run: AuditRun) -> int:
        return len(run.breaches)
