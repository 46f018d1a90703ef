from markets.domain.errors import NotFound
from markets.models import Report


def get(report_id: int) -> Report:
    """Raise NotFound."""
    report = Report.objects.filter(pk=report_id).first()
    if report is None:
        raise NotFound("report", report_id)
    return report
