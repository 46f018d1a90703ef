"""Reports: ask for one, watch it being built, download it."""

from typing import Any, Final

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.shortcuts import redirect
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html

from markets.admin.base import ServiceAdmin, ServiceForm, StaffRequest, WorkAdmin, asks
from markets.domain.errors import NotFound, Refused
from markets.domain.permissions import Permission, may
from markets.domain.text import is_id
from markets.models import Report
from markets.services.report_files import request_report, retry_report

_SHOWN: Final = [
    "kind", "market", "state", "progress", "download", "error", "requested_by", "created_at",
]  # fmt: skip


class ReportForm(ServiceForm):
    class Meta:
        model = Report
        fields = ["kind", "market"]
        help_texts = {"market": "For a market's history, and for the trades of one market."}


@admin.register(Report)
class ReportAdmin(WorkAdmin, ServiceAdmin):
    """Reports: ask for one, watch it being built, download it, and build a failed one again."""

    form = ReportForm
    autocomplete_fields = ["market"]
    has_add_permission = asks(Permission.EXPORT_DATA)
    list_display = ["id", "kind", "market", "state", "progress", "requested_by", "created_at"]
    list_filter = ["kind", "state"]
    list_select_related = ["market", "requested_by"]

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
        if not is_id(object_id):
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

    def get_fields(self, request: HttpRequest, obj: Report | None = None) -> Any:
        permitted = may(request.user, Permission.EXPORT_DATA)
        shown = [field for field in _SHOWN if field != "download" or permitted]
        return shown if obj else ["kind", "market"]

    def get_readonly_fields(self, request: HttpRequest, obj: Report | None = None) -> Any:
        return _SHOWN if obj else ()

    def save(self, request: StaffRequest, form: Any, formsets: Any, change: bool) -> Report:
        market = form.cleaned_data["market"]
        return request_report(
            actor=request.user,
            now=timezone.now(),
            kind=form.cleaned_data["kind"],
            market_id=market.pk if market else None,
        )

    def response_add(self, request: HttpRequest, obj: Any, *args: Any, **kwargs: Any) -> Any:
        messages.success(request, "The report is being built. This page shows how far it is.")
        return redirect("admin:markets_report_change", obj.pk)

    @admin.display(description="File")
    def download(self, report: Report) -> str:
        if report.state != Report.State.DONE:
            return "Not built yet"
        address = reverse("api-1:download_report", args=[report.pk])
        return format_html('<a href="{}">Download</a>', address)
