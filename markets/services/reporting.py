"""Request a report."""

from datetime import datetime

from django.contrib.auth.base_user import AbstractBaseUser

from markets.domain.errors import Invalid
from markets.infra import broker
from markets.infra.request_context import current_request_id
from markets.models import Report
from markets.selectors import markets


def request_report(
    *, actor: AbstractBaseUser, now: datetime, kind: str, market_id: int | None = None
) -> Report:
    """Queue a report for a worker and return it. Raise Invalid, NotFound."""
    if kind == Report.Kind.MARKET_HISTORY and market_id is None:
        raise Invalid(market_id="Say which market's history.")
    if market_id is not None and kind in {Report.Kind.CALIBRATION, Report.Kind.LEDGER_AUDIT}:
        raise Invalid(market_id="This report is about all markets.")
    report = Report.objects.create(
        kind=kind,
        market=markets.get(market_id, drafts=True) if market_id else None,
        requested_by_id=actor.pk,
        request_id=current_request_id(),
        created_at=now,
        touched_at=now,
    )
    broker.start(broker.BUILD_REPORT, report.pk)
    return report
