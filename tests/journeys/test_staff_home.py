"""What somebody of the staff finds at the door: what waits, where it leads, and how to get anywhere by keyboard."""

import re
from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from markets.domain.amounts import MICRO
from markets.models import AuditRun, Event, Market, Report
from markets.services import ledger, lifecycle
from markets.services.report_files import request_report
from markets.tasks import reactions
from tests.support.browser import needs_chromium, picture, sidebar, sign_in_by_hand
from tests.support.factory import order, trade, yes_no
from tests.support.people import person
from tests.support.reactions import wait_until_told

pytestmark = needs_chromium

PHONE = {"width": 390, "height": 844}
DESK = {"width": 1440, "height": 1000}


@pytest.fixture
def work(alice, bob, make_market):
    """A morning's work: something waits in every section."""
    now = timezone.now()
    for number in range(9):
        market = make_market(f"Will the river rise above {number + 3} m this spring?", now=now)
        people = [bob, *(person(f"trader{number}-{n}") for n in range(number))]
        for user in people:
            outcome = yes_no(market)[number % 2]
            trade(user, market, order(outcome, shares=(4 + number) * MICRO), now=now)
        lifecycle.close_market(market_id=market.pk, actor=alice, now=now)
        Market.objects.filter(pk=market.pk).update(
            open_at=None, close_at=now - timedelta(days=2 * number, hours=2)
        )
    make_market("Will it rain in Bern?", now=now, close_at=now + timedelta(hours=5))
    make_market(
        "Will the council of the city approve the budget for the new tramway line before the end of the year?",
        now=now, close_at=now + timedelta(hours=23, minutes=30),
    )  # fmt: skip
    make_market("Who wins the cup?", status="draft", actor=alice, now=now)
    wait_until_told()
    reactions.react_to_trades()
    failed = request_report(actor=alice, now=now, kind="trades_export")
    Report.objects.filter(pk=failed.pk).update(state="failed", error="OSError('No space left')")
    for event in Event.objects.filter(pending=True).order_by("pk")[1:]:
        reactions.react(event.pk)
    Event.objects.filter(pending=True).update(at=now - timedelta(minutes=5))
    run = ledger.audit_ledger(now=now)
    assert run.breaches == []
    return failed


def section(page, title):
    return page.get_by_role("region", name=title)


def home(page, server):
    page.goto(f"{server.url}/admin/")
    expect(page.get_by_role("heading", name="Work queue")).to_be_visible()


def test_staff_see_what_waits_and_each_figure_leads_to_its_list(server, work, page):
    page.set_viewport_size(DESK)
    sign_in_by_hand(page, server, "alice")
    picture(page, "home")
    waiting = section(page, "Awaiting resolution")
    expect(waiting.get_by_role("listitem")).to_have_count(7)
    expect(waiting.get_by_role("listitem").first).to_contain_text("above 11 m")
    expect(waiting.get_by_role("listitem").first).to_contain_text("16 days")
    expect(waiting.get_by_role("link", name="2 more")).to_be_visible()
    for title, rows in (
        ("Awaiting resolution", 9),
        ("Closing within 24 hours", 2),
        ("Drafts", 1),
        ("Failed jobs", 1),
        ("Events nobody handled", 1),
    ):
        section(page, title).get_by_role("link", name=f"{title}: {rows}, the list").click()
        expect(page.get_by_role("heading", name="Work queue")).to_have_count(0)
        expect(page.locator("#result_list tbody tr")).to_have_count(rows)
        page.go_back()
    section(page, "Drafts").get_by_role("link", name="Who wins the cup?").click()
    expect(page.get_by_label("Name").first).to_have_value("Who wins the cup?")
    page.go_back()
    audit = section(page, "Last audit")
    expect(audit.get_by_text("no breaches")).to_be_visible()
    audit.get_by_role("link", name=re.compile(r"^\d[\d,.]*$")).nth(1).click()
    expect(page.get_by_role("row", name="trader bob")).to_be_visible()
    page.go_back()
    charts = section(page, "The last 30 days")
    expect(
        charts.get_by_role("img", name=re.compile("Trades by day.*: most 45 on"))
    ).to_be_visible()
    expect(charts.get_by_role("img")).to_have_count(3)
    charts.get_by_role("link", name="All trades").click()
    expect(page.get_by_role("heading", name="Trades")).to_be_visible()


def test_a_failed_report_is_tried_again(server, work, page):
    sign_in_by_hand(page, server, "alice")
    failed = section(page, "Failed jobs")
    expect(failed).to_contain_text("OSError('No space left') · alice")
    expect(page.get_by_role("link", name="Reports 1", exact=True)).to_be_visible()
    failed.get_by_role("button", name="Retry").click()
    expect(page.get_by_text(f"Report {work.pk} is queued again.")).to_be_visible()
    expect(failed).to_contain_text("No job has failed in the last 7 days.")
    work.refresh_from_db()
    assert work.state == "queued"


def test_breaches_stand_in_red(server, alice, page):
    AuditRun.objects.create(at=timezone.now(), checks=11, breaches=[{"check": "money"}])
    page.set_viewport_size(DESK)
    sign_in_by_hand(page, server, "alice")
    expect(section(page, "Last audit").get_by_text("1 breach", exact=True)).to_be_visible()
    picture(page, "home-empty")


def test_the_palette_jumps_by_keyboard(server, work, page):
    page.set_viewport_size(DESK)
    sign_in_by_hand(page, server, "alice")
    field = page.get_by_placeholder("Type to search")

    def jump(text, found, picture_name=""):
        page.wait_for_load_state("load")  # the page listens to its keys from then on
        page.keyboard.press("Control+k")
        expect(field).to_be_focused()
        page.keyboard.type(text)
        expect(page.get_by_role("link", name=found)).to_be_visible()
        if picture_name:
            picture(page, picture_name)
        page.keyboard.press("ArrowDown")
        page.keyboard.press("Enter")

    jump("tramway", re.compile("tramway line.*Market, active"), "palette")
    expect(page.get_by_label("Name").first).to_have_value(re.compile("tramway line"))
    jump("bob", re.compile("bob.*Trader"))
    expect(page.get_by_role("heading", name="bob").first).to_be_visible()
    jump("awaiting", re.compile("Awaiting resolution.*Questions"))
    expect(page.locator("#result_list tbody tr")).to_have_count(9)
    sidebar(page, "Home").click()
    page.get_by_role("button", name="Market, trader, page").click()
    expect(field).to_be_focused()


def test_on_a_phone_the_queue_and_the_sidebar_are_as_wide_as_it(server, work, page):
    page.set_viewport_size(PHONE)
    sign_in_by_hand(page, server, "alice")
    wide = page.evaluate("document.documentElement.scrollWidth")
    assert wide <= PHONE["width"]
    picture(page, "home-phone")
    section(page, "The last 30 days").scroll_into_view_if_needed()
    picture(page, "home-phone-charts")
    page.evaluate("scrollTo(0, 0)")
    page.get_by_text("dock_to_right").locator("visible=true").click()
    expect(sidebar(page, "Awaiting resolution")).to_be_visible()
    picture(page, "home-phone-sidebar")
    sidebar(page, "Awaiting resolution").click()
    expect(page.locator("#result_list tbody tr")).to_have_count(9)


def test_in_the_dark_the_queue_can_be_read(server, work, page):
    page.set_viewport_size(DESK)
    page.emulate_media(color_scheme="dark")
    sign_in_by_hand(page, server, "alice")
    expect(page.locator("html")).to_have_class(re.compile("dark"))
    picture(page, "home-dark")
    bar = section(page, "The last 30 days").get_by_role("img").first
    ink = bar.evaluate("svg => getComputedStyle(svg).fill")
    ground = page.locator("#main").evaluate("main => getComputedStyle(main).backgroundColor")
    assert ink != ground
