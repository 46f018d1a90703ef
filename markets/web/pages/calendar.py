"""Openings and closings as an iCalendar feed (RFC 5545), which calendars subscribe to."""

from datetime import timedelta
from typing import Final

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_safe
from icalendar import Calendar, Event

from markets.caching.shared import CATALOGUE
from markets.infra.threads import in_thread
from markets.selectors import calendar
from markets.web import hot

PAST: Final = timedelta(days=30)
FUTURE: Final = timedelta(days=366)


@require_safe
async def feed(request: HttpRequest) -> HttpResponse:
    if not request.GET:
        hot.share(request, CATALOGUE)
    return await in_thread(_feed, request)


def _feed(request: HttpRequest) -> HttpResponse:
    now = timezone.now()
    found = Calendar()
    found.add("prodid", "-//Bellwether//Markets//EN")
    found.add("version", "2.0")
    found.add("x-wr-calname", "Bellwether")
    for moment in calendar.moments(now - PAST, now + FUTURE, drafts=False):
        event = Event()
        event.add("uid", f"{moment.market.pk}-{moment.verb}@{request.get_host()}")
        event.add("dtstamp", now)
        event.add("dtstart", moment.at)
        event.add("summary", f"{moment.verb.capitalize()}: {moment.market.name}")
        event.add("url", request.build_absolute_uri(moment.market.get_absolute_url()))
        found.add_component(event)
    return HttpResponse(found.to_ical(), content_type="text/calendar; charset=utf-8")
