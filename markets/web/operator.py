"""For operators: does the process live, can it work, what does it measure."""

import asyncio
from collections.abc import Callable

from celery import current_app
from django.db import connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.http import require_safe
from django_redis import get_redis_connection
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from markets.infra.threads import in_thread

PATIENCE = 3.0  # seconds for all checks together


@require_safe
async def healthz(_request: HttpRequest) -> JsonResponse:
    """The process answers."""
    return JsonResponse({"status": "ok"})


@require_safe
async def readyz(_request: HttpRequest) -> JsonResponse:
    """200 when all that a request may need answers, 503 with the names of what does not."""
    checks: dict[str, Callable[[], None]] = {
        "database": _database,
        "cache": _cache,
        "broker": _broker,
    }
    answers = await asyncio.gather(*(_outcome(check) for check in checks.values()))
    named = dict(zip(checks, answers, strict=True))
    ready = all(answer == "ok" for answer in answers)
    return JsonResponse(
        {"status": "ok" if ready else "unavailable", **named}, status=200 if ready else 503
    )


async def _outcome(check: Callable[[], None]) -> str:
    try:
        async with asyncio.timeout(PATIENCE):
            await in_thread(check)
    except Exception as error:  # noqa: BLE001  (whatever it is, it is the answer)
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
    """This process's figures, for Prometheus."""
    return HttpResponse(generate_latest(), content_type=CONTENT_TYPE_LATEST)
