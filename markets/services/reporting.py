"""Asking for a report."""

from __future__ import annotations

from datetime import datetime

from django.contrib.auth.base_user import AbstractBaseUser

from config.logs import current_request_id
from markets import tasks
from markets.models import Report
from markets.selectors import markets


def request_report(*, actor: AbstractBaseUser, now: datetime, kind: str, market_id: int) -> Report:
    """Queue a report for a worker. Raises NotFound for an unknown market."""
    report = Report.objects.create(
        kind=kind,
        market=markets.get(market_id, drafts=True),
        requested_by_id=actor.pk,
        request_id=current_request_id(),
        created_at=now,
        touched_at=now,
    )
    tasks.send(tasks.build_report, report.pk)
    return report
