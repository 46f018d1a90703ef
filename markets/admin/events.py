from django.contrib import admin
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html

from markets.admin.base import ReadOnlyAdmin, ReadOnlyInline
from markets.domain.permissions import Permission, may
from markets.models import Event, Report


@admin.register(Event)
class EventAdmin(ReadOnlyAdmin):
    list_display = ["at", "market", "seq", "type", "actor", "pending"]
    list_filter = ["type", "pending"]
    list_select_related = ["market", "actor"]
    ordering = ["-id"]
    search_fields = ["market__name", "request_id"]
    fields = ("market", "seq", "type", "at", "actor", "payload", "prices", "request_id", "pending")


class EventInline(ReadOnlyInline):
    model = Event
    fields = readonly_fields = ["seq", "at", "type", "actor", "payload"]
    ordering = ["-seq"]
    verbose_name_plural = "what happened"
    per_page = 10
    tab = True


@admin.register(Report)
class ReportAdmin(ReadOnlyAdmin):
    list_display = ["id", "kind", "market", "state", "progress", "requested_by", "created_at"]
    list_filter = ["kind", "state"]
    list_select_related = ["market", "requested_by"]
    fields = (
        "kind", "market", "state", "progress", "download", "error", "requested_by", "created_at",
    )  # fmt: skip

    def get_fields(self, request: HttpRequest, obj: Report | None = None) -> list[str]:
        permitted = may(request.user, Permission.EXPORT_DATA)
        return [field for field in self.fields if field != "download" or permitted]

    @admin.display(description="File")
    def download(self, report: Report) -> str:
        if report.state != Report.State.DONE:
            return "Not built yet"
        address = reverse("api-1:download_report", args=[report.pk])
        return format_html('<a href="{}">Download</a>', address)
