"""The iCalendar feed, read back by a calendar's own parser."""

from datetime import timedelta

from django.utils import timezone
from icalendar import Calendar

from markets.infra.threads import in_thread


async def test_a_calendar_reads_the_feed(client, make_market):
    soon = timezone.now().replace(microsecond=0) + timedelta(days=3)
    name = 'Will "it", rain; or\\snow? Ünïcödé ' + "long " * 20
    market = await in_thread(make_market, name, close_at=soon)
    await in_thread(make_market, "Opens?", status="scheduled", open_at=soon)
    await in_thread(make_market, "Secret?", status="draft", close_at=soon)

    answer = await client.get("/calendar.ics")
    assert answer.headers["Content-Type"].startswith("text/calendar")
    events = {str(e["SUMMARY"]): e for e in Calendar.from_ical(answer.content).walk("VEVENT")}
    assert set(events) == {f"Closes: {market.name}", "Opens: Opens?"}
    event = events[f"Closes: {market.name}"]
    assert event.decoded("DTSTART") == soon
    assert str(event["URL"]).endswith(market.get_absolute_url())


async def test_staff_see_a_month_with_drafts_and_others_do_not(client, make_market, alice):
    from tests.support.people import sign_in

    at = timezone.now() + timedelta(minutes=1)
    await in_thread(make_market, "Secret?", status="draft", close_at=at)
    page = "/admin/markets/market/calendar/"
    assert (await client.get(page)).status_code == 302
    await sign_in(client, "alice")
    assert "Secret?" in (await client.get(f"{page}?month={at:%Y-%m}")).text
    for month in ("x", "9999-99", "0001-01", "2026-13", "9" * 50):
        assert (await client.get(f"{page}?month={month}")).status_code == 200
