from typing import Any

from markets.domain.time import time_text
from markets.models import Report


def present_report(report: Report) -> dict[str, Any]:
    return {
        "id": report.pk,
        "kind": report.kind,
        "market_id": report.market_id,
        "status": report.state,
        "progress": report.progress,
        "error": report.error or None,
        "created_at": time_text(report.created_at),
    }
