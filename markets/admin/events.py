"""The log of all markets."""

from django.contrib import admin

from markets.admin.base import NamesAdmin, ReadOnlyAdmin
from markets.models import Event


@admin.register(Event)
class EventAdmin(ReadOnlyAdmin, NamesAdmin):
    market_field = "market"
    search_help_text = "Words of a market"
    list_display = ["at", "market", "seq", "type", "actor", "pending"]
    list_filter = ["type", "pending"]
    list_select_related = ["market", "actor"]
    ordering = ["-id"]
    fields = ("market", "seq", "type", "at", "actor", "payload", "prices", "request_id", "pending")
