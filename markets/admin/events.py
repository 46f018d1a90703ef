from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.shortcuts import redirect
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html

from markets.admin.base import ReadOnlyAdmin, ReadOnlyInline, StaffRequest
from markets.domain.errors import NotFound, Refused
from markets.domain.permissions import Permission, may
from markets.models import Event, Report
from markets.services.report_files import retry_report


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

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.retry)
        again = path("<path:object_id>/retry/", view, name="markets_report_retry")
        return [again, *super().get_urls()]

    def retry(self, request: StaffRequest, object_id: str) -> HttpResponse:
        """Queue a failed report again: the button of the admin's home."""
        if not may(request.user, Permission.EXPORT_DATA):
            raise PermissionDenied
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        if not object_id.isdecimal():
            raise Http404
        try:
            report = retry_report(report_id=int(object_id), now=timezone.now())
        except NotFound as missing:
            raise Http404 from missing
        except Refused as refusal:
            messages.warning(request, str(refusal))
        else:
            self.log_change(request, report, "Queued again.")
            messages.success(request, f"Report {report.pk} is queued again.")
        return redirect("admin:index")

    def get_fields(self, request: HttpRequest, obj: Report | None = None) -> list[str]:
        permitted = may(request.user, Permission.EXPORT_DATA)
        return [field for field in self.fields if field != "download" or permitted]

    @admin.display(description="File")
    def download(self, report: Report) -> str:
        if report.state != Report.State.DONE:
            return "Not built yet"
        address = reverse("api-1:download_report", args=[report.pk])
        return format_html('<a href="{}">Download</a>', address)
