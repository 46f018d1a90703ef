"""The log, to look at."""

from __future__ import annotations

from django.contrib import admin
from unfold.admin import ModelAdmin, TabularInline

from markets.admin.readonly import ReadOnly
from markets.models import Event, Report


@admin.register(Event)
class EventAdmin(ReadOnly, ModelAdmin):
    list_display = ["at", "market", "seq", "type", "actor", "pending"]
    list_filter = ["type", "pending"]
    list_select_related = ["market", "actor"]
    list_per_page = 50
    show_full_result_count = False
    ordering = ["-id"]
    search_fields = ["market__name", "request_id"]
    date_hierarchy = None


class EventInline(ReadOnly, TabularInline):
    model = Event
    fields = ["seq", "at", "type", "actor", "payload"]
    readonly_fields = fields
    ordering = ["-seq"]
    verbose_name_plural = "what happened"
    max_num = 0
    can_delete = False
    per_page = 10
    tab = True


@admin.register(Report)
class ReportAdmin(ReadOnly, ModelAdmin):
    list_display = ["id", "kind", "market", "state", "progress", "requested_by", "created_at"]
    list_filter = ["kind", "state"]
    list_select_related = ["market", "requested_by"]
