"""A month of openings and closings, for staff."""

from calendar import Calendar
from datetime import date, datetime, timedelta
from typing import Any

from django.urls import reverse
from django.utils import timezone
from django.utils.timezone import localtime, make_aware
from django.views.generic import TemplateView
from unfold.views import UnfoldModelAdminViewMixin

from markets.domain.permissions import Permission, may
from markets.selectors import calendar


class CalendarPage(UnfoldModelAdminViewMixin, TemplateView):
    """`?month=2026-11`; without it, this month. Times are in the site's zone."""

    title = "Calendar"
    template_name = "admin/calendar.html"

    def has_permission(self) -> bool:
        return may(self.request.user, Permission.SEE_DRAFTS)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        first = _month(self.request.GET.get("month", ""))
        after = (first + timedelta(days=32)).replace(day=1)
        weeks = Calendar().monthdatescalendar(first.year, first.month)
        start, end = weeks[0][0], weeks[-1][-1] + timedelta(days=1)
        days: dict[date, list[calendar.Moment]] = {}
        for moment in calendar.moments(_midnight(start), _midnight(end), drafts=True):
            days.setdefault(localtime(moment.at).date(), []).append(moment)
        return super().get_context_data(
            **kwargs,
            first=first,
            weeks=[[(day, days.get(day, [])) for day in week] for week in weeks],
            today=localtime().date(),
            zone=timezone.get_current_timezone_name(),
            before=f"{first - timedelta(days=1):%Y-%m}",
            after=f"{after:%Y-%m}",
            feed=self.request.build_absolute_uri(reverse("calendar")),
        )


def _month(text: str) -> date:
    """Return the first day of a month; of this one if the text is no month."""
    try:
        month = datetime.strptime(text, "%Y-%m").date()  # noqa: DTZ007  (a day has no zone)
    except ValueError:
        month = localtime().date()
    return month.replace(day=1, year=min(max(month.year, 1900), 9000))


def _midnight(day: date) -> datetime:
    return make_aware(datetime.combine(day, datetime.min.time()))
