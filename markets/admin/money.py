"""The ledger and the trades, to look at; and granting credits."""

from __future__ import annotations

from decimal import Decimal
from typing import cast

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import ActionForm
from django.contrib.auth.base_user import AbstractBaseUser
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from unfold.admin import ModelAdmin, TabularInline

from markets.admin.readonly import ReadOnly
from markets.amounts import MICRO, to_text
from markets.errors import Refused
from markets.models import Account, AuditRun, JournalEntry, Position, Posting, Resolution, Trade
from markets.services import ledger


class GrantForm(ActionForm):
    """What goes with the action "Grant": a negative amount takes credits away."""

    amount = forms.DecimalField(required=False, max_digits=15, decimal_places=6, label="Credits")
    reason = forms.CharField(required=False, max_length=300)


@admin.register(Account)
class AccountAdmin(ReadOnly, ModelAdmin):
    list_display = ["__str__", "kind", "credits"]
    list_filter = ["kind"]
    list_select_related = ["user", "market"]
    list_per_page = 50
    search_fields = ["user__username", "market__name"]
    ordering = ["-id"]
    action_form = GrantForm
    actions = ["grant"]

    @admin.display(description="Credits", ordering="balance")
    def credits(self, account: Account) -> str:
        return to_text(account.balance)

    @admin.action(description="Grant (or take) credits, with a reason")
    def grant(self, request: HttpRequest, accounts: QuerySet[Account]) -> None:
        form = GrantForm(request.POST)
        form.fields["action"].choices = [("grant", "grant")]  # type: ignore[attr-defined]
        if not form.is_valid() or not form.cleaned_data["amount"]:
            messages.error(request, "Give an amount of credits and a reason beside the action.")
            return
        amount = int(cast(Decimal, form.cleaned_data["amount"]) * MICRO)
        actor, now, reason = cast(AbstractBaseUser, request.user), timezone.now(), form.cleaned_data["reason"]
        for account in accounts.select_related("user"):
            try:
                if account.user is None:
                    messages.error(request, f"{account}: only traders are given credits.")
                    continue
                ledger.grant(user=account.user, amount=amount, actor=actor, now=now, reason=reason)
            except Refused as error:
                messages.error(request, f"{account}: {error}")
            else:
                messages.success(request, f"{account}: {to_text(amount)} credits, {reason}.")


class PostingInline(ReadOnly, TabularInline):
    model = Posting
    fields = readonly_fields = ["account", "amount", "balance"]


@admin.register(JournalEntry)
class JournalEntryAdmin(ReadOnly, ModelAdmin):
    inlines = [PostingInline]
    list_display = ["id", "at", "kind", "market", "actor", "note"]
    list_filter = ["kind"]
    list_select_related = ["market", "actor"]
    list_per_page = 50
    show_full_result_count = False
    ordering = ["-id"]


@admin.register(Trade)
class TradeAdmin(ReadOnly, ModelAdmin):
    list_display = ["id", "at", "market", "outcome", "trader", "side", "shares_text", "cost_text"]
    list_filter = ["side"]
    list_select_related = ["market", "outcome", "trader"]
    list_per_page = 50
    show_full_result_count = False
    search_fields = ["client_order_id", "trader__username"]
    exclude = ["request_digest"]

    @admin.display(description="Shares")
    def shares_text(self, trade: Trade) -> str:
        return to_text(trade.shares)

    @admin.display(description="Credits")
    def cost_text(self, trade: Trade) -> str:
        return to_text(trade.cost)


@admin.register(Position)
class PositionAdmin(ReadOnly, ModelAdmin):
    list_display = ["trader", "market", "outcome", "shares", "cost_basis", "realised", "payout"]
    list_select_related = ["market", "outcome", "trader"]
    list_per_page = 50
    show_full_result_count = False
    search_fields = ["trader__username", "market__name"]


@admin.register(Resolution)
class ResolutionAdmin(ReadOnly, ModelAdmin):
    list_display = ["market", "resolved_at", "resolved_by", "reversed_at"]
    list_select_related = ["market", "resolved_by"]


@admin.register(AuditRun)
class AuditRunAdmin(ReadOnly, ModelAdmin):
    list_display = ["at", "checks", "count"]

    @admin.display(description="Breaches")
    def count(self, run: AuditRun) -> int:
        return len(run.breaches)
