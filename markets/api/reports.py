"""Reports: asked for, built in the background, fetched when done."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from django.core.files import File
from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.utils import timezone
from ninja import Router

from markets.api import answers
from markets.api.auth import needs
from markets.api.problems import problem
from markets.api.schemas import ReportIn, ReportOut
from markets.errors import NotFound
from markets.models import Report
from markets.selectors.markets import time_text
from markets.services.reporting import request_report
from markets.threads import in_thread

router = Router(tags=["reports"], auth=needs("staff"))


def _present(report: Report) -> dict[str, Any]:
    return {
        "id": report.pk,
        "kind": report.kind,
        "market_id": report.market_id,
        "status": report.state,
        "progress": report.progress,
        "error": report.error or None,
        "created_at": time_text(report.created_at),
    }


def _find(report_id: int) -> Report:
    report = Report.objects.filter(pk=report_id).first()
    if report is None:
        raise NotFound("report", report_id)
    return report


@router.post("/", response={202: ReportOut}, summary="Ask for a report")
async def create_report(request: HttpRequest, wanted: ReportIn) -> HttpResponse:
    user = request.auth.user  # type: ignore[attr-defined]
    report = await in_thread(request_report, actor=user, now=timezone.now(), **wanted.dict())
    return answers.private(_present(report), status=202)


@router.get("/{int:report_id}", response=ReportOut, summary="How far a report is")
async def get_report(request: HttpRequest, report_id: int) -> HttpResponse:
    return answers.private(_present(await in_thread(_find, report_id)))


@router.get("/{int:report_id}/download", response={200: bytes}, summary="A finished report")
async def download_report(request: HttpRequest, report_id: int) -> HttpResponseBase:
    report = await in_thread(_find, report_id)
    if report.state != Report.State.DONE:
        return problem(409, "report_not_done", f"The report is {report.state} ({report.progress} %): ask again later.")
    response = StreamingHttpResponse(_chunks(await in_thread(report.file.open)), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{report.kind}-{report.pk}.csv"'
    return response


async def _chunks(file: File[bytes]) -> AsyncIterator[bytes]:
    try:
        while chunk := await in_thread(file.read, 1 << 16):
            yield chunk
    finally:
        await in_thread(file.close)
