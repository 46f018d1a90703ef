"""The log of all markets."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from markets.admin.base import NamesAdmin, ReadOnlyAdmin
from markets.domain.event_types import EventType
from markets.models import Event


class TypeFilter(admin.SimpleListFilter):
    """The kinds of events that there are: looking for those in the table would read all of it."""

    title = "type"
    parameter_name = "type"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(kind, kind.removeprefix("market.").replace("_", " ")) for kind in EventType]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Event]) -> QuerySet[Event]:
        return queryset.filter(type=self.value()) if self.value() else queryset


@admin.register(Event)
class EventAdmin(ReadOnlyAdmin, NamesAdmin):
    market_field = "market"
    search_help_text = "Words of a market"
    list_display = ["at", "market", "seq", "type", "actor", "handled"]
    list_filter = [TypeFilter, "pending"]
    list_select_related = ["market", "actor"]
    ordering = ["-id"]
    fields = ("market", "seq", "type", "at", "actor", "payload", "prices", "request_id", "handled")

    @admin.display(description="Handled", ordering="pending")
    def handled(self, event: Event) -> str:
        return "waits" if event.pending else "handled"
