"""For operators: liveness, readiness and metrics."""

import asyncio
from collections.abc import Callable

from celery import current_app
from django.db import connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.http import require_safe
from django_redis import get_redis_connection
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from markets.infra.threads import in_thread

READINESS_SECONDS = 3.0  # for each readiness check; all run at once


@require_safe
async def healthz(_request: HttpRequest) -> JsonResponse:
    return JsonResponse({"status": "ok"})


@require_safe
async def readyz(_request: HttpRequest) -> JsonResponse:
    """Return the result of each check, with 503 unless all are "ok"."""
    checks = {"database": _database, "cache": _cache, "broker": _broker}
    results = await asyncio.gather(*map(_result, checks.values()))
    ready = set(results) == {"ok"}
    body = {"status": "ok" if ready else "unavailable", **dict(zip(checks, results, strict=True))}
    return JsonResponse(body, status=200 if ready else 503)


async def _result(check: Callable[[], None]) -> str:
    try:
        async with asyncio.timeout(READINESS_SECONDS):
            await in_thread(check)
    except Exception as error:  # noqa: BLE001  (any error is the result)
        return f"failed: {type(error).__name__}"
    return "ok"


def _database() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")


def _cache() -> None:
    get_redis_connection("default").ping()


def _broker() -> None:
    with current_app.connection_for_write() as broker:
        broker.ensure_connection(max_retries=1, timeout=1)


@require_safe
async def metrics(_request: HttpRequest) -> HttpResponse:
    return HttpResponse(generate_latest(), content_type=CONTENT_TYPE_LATEST)
