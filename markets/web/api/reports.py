"""Reports, which a worker builds."""

from __future__ import annotations

from collections.abc import AsyncIterator

from django.core.files import File
from django.http import HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.utils import timezone
from ninja import Router

from markets.domain.permissions import Permission
from markets.infra.threads import in_thread
from markets.models import Report
from markets.presenters.report import present_report
from markets.selectors import reports
from markets.services.report_files import request_report
from markets.web.api import answers
from markets.web.api.schemas.own import ReportIn, ReportOut
from markets.web.auth import ApiRequest, needs
from markets.web.problems import problem

router = Router(tags=["reports"], auth=needs("staff", Permission.EXPORT_DATA))


@router.post("/", response={202: ReportOut}, summary="Ask for a report")
async def create_report(request: ApiRequest, wanted: ReportIn) -> HttpResponse:
    report = await in_thread(
        request_report, actor=request.auth.user, now=timezone.now(), **wanted.dict()
    )
    return answers.private(present_report(report), status=202)


@router.get("/{int:report_id}", response=ReportOut, summary="How far a report is")
async def get_report(request: ApiRequest, report_id: int) -> HttpResponse:
    return answers.private(present_report(await in_thread(reports.get, report_id)))


@router.get("/{int:report_id}/download", response={200: bytes}, summary="A finished report")
async def download_report(request: ApiRequest, report_id: int) -> HttpResponseBase:
    report = await in_thread(reports.get, report_id)
    if report.state != Report.State.DONE:
        why = f"The report is {report.state} ({report.progress} %): ask again later."
        return problem(409, "report_not_done", why)
    chunks = _chunks(await in_thread(report.file.open))
    response = StreamingHttpResponse(chunks, content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{report.kind}-{report.pk}.csv"'
    return response


async def _chunks(file: File[bytes]) -> AsyncIterator[bytes]:
    try:
        while chunk := await in_thread(file.read, 65_536):
            yield chunk
    finally:
        await in_thread(file.close)
