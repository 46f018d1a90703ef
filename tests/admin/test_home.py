"""The home of the admin, its sidebar and its palette: what waits, for whom, and at what cost."""

import html
import re
from datetime import UTC, datetime, timedelta

import pytest
from django.contrib import admin
from django.contrib.auth.models import Group, Permission
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from markets.admin.navigation import GROUPS
from markets.domain.amounts import MICRO
from markets.models import (
    AuditRun,
    Comment,
    CommentReport,
    DayTotal,
    DayTrader,
    Event,
    Market,
    Outcome,
    Report,
)
from markets.selectors import workqueue
from markets.services import ledger, lifecycle
from markets.services.report_files import request_report
from markets.tasks import reactions
from tests.support.factory import make_market, order, trade, yes_no
from tests.support.people import person
from tests.support.reactions import react_to_all, wait_until_told

SECTIONS = {
    "Awaiting resolution", "Closing within 24 hours", "Drafts", "Failed jobs", "Events nobody handled", "Last audit",
    "Reported comments", "The last 30 days",
}  # fmt: skip
OF_MARKETS = {"Awaiting resolution", "Closing within 24 hours", "Drafts", "Events nobody handled"}
SEEN = {
    "Market editors": OF_MARKETS | {"Failed jobs", "Reported comments"},
    "Resolvers": OF_MARKETS | {"Failed jobs", "The last 30 days"},
    "Treasurers": {"Last audit", "The last 30 days"},
    "Auditors": SECTIONS,
}


def member(name, *groups, permissions=(), **facts):
    """The browser of somebody of the staff, without JavaScript."""
    user = person(name, is_staff=True, **facts)
    user.groups.set(Group.objects.filter(name__in=groups))
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def boss(alice):
    client = Client()
    client.force_login(alice)
    return client


def sections(page):
    """By its title, the text of each section and its links."""
    found = {}
    for title, inside in re.findall(
        r'<section aria-label="([^"]*)"(.*?)</section>', page.content.decode(), re.DOTALL
    ):
        words = html.unescape(re.sub(r"<svg.*?</svg>|<[^>]+>|\s+", " ", inside, flags=re.DOTALL))
        found[html.unescape(title)] = (
            re.sub(r" +", " ", words),
            [html.unescape(link) for link in re.findall(r'href="([^"]*)"', inside)],
        )
    return found


def inside_of_sidebar(page):
    return page.content.decode().split('id="nav-sidebar-apps"')[1].split("</nav>")[0]


def sidebar_of(page):
    """The titles, each with the count beside it."""
    links = re.findall(r"<li>\s*<a[^>]*>(.*?)</a>\s*</li>", inside_of_sidebar(page), re.DOTALL)
    words = [re.sub(r'<span[^>]*aria-hidden="true">\w+</span>|<[^>]+>', "", link) for link in links]
    return [" ".join(word.split()) for word in words]


def failed_report(user, market=None):
    kind = "market_history" if market else "trades_export"
    made = request_report(actor=user, now=timezone.now(), kind=kind, market_id=market and market.pk)
    Report.objects.filter(pk=made.pk).update(state="failed", error="OSError('No space left')")
    return Report.objects.get(pk=made.pk)


def much(user, count):
    """So many rows more in each queue."""
    now = timezone.now()
    late, first = now - timedelta(hours=1), make_market("Is it the first?", now=now)

    def markets(status, **facts):
        made = Market.objects.bulk_create(
            Market(
                slug=f"{status}-{count}-{n}", name=f"Is {status} {n} so?", status=status, active_at=now, created_at=late, updated_at=late,
                public=status != "draft", public_from=None if status == "draft" else 1, created_by=user, **facts,
            )
            for n in range(count)
        )  # fmt: skip
        Outcome.objects.bulk_create(
            Outcome(market=market, position=n, label=label, probability=MICRO // 2)
            for market in made
            for n, label in enumerate(("Yes", "No"))
        )

    markets("closed", close_at=now - timedelta(days=9))
    markets("active", close_at=now + timedelta(hours=3))
    markets("draft")
    said = Comment.objects.bulk_create(
        Comment(market=first, author=user, text=f"Reason {n}", created_at=late)
        for n in range(count)
    )
    CommentReport.objects.bulk_create(
        CommentReport(comment=one, reporter=user, reason="Rude", at=late) for one in said
    )
    Report.objects.bulk_create(
        Report(
            kind="trades_export", state="failed", error="Out of space", requested_by=user, created_at=late, touched_at=late, market=first
        )
        for _ in range(count)
    )  # fmt: skip
    Event.objects.bulk_create(
        Event(market=first, seq=n + count * 100, type="market.updated", at=late)
        for n in range(count)
    )


def test_an_empty_home_says_that_nothing_waits(boss):
    found = sections(boss.get("/admin/"))
    assert set(found) == SECTIONS
    for says in (
        "Nothing waits for a resolution.", "Nothing closes within 24 hours.", "There are no drafts.",
        "No job has failed in the last 7 days.", "Every event was handled.", "No audit has run yet.",
        "Nobody has reported a comment.",
    ):  # fmt: skip
        assert any(says in words for words, _ in found.values()), says


def test_the_market_that_closed_first_stands_first_with_its_days_and_its_leader(boss, bob):
    now = timezone.now()
    for name, days in (("Newer?", 2), ("Older?", 12), ("Just now?", 0)):
        market = make_market(name, now=now)
        trade(bob, market, order(yes_no(market)[1], shares=50 * MICRO))
        lifecycle.close_market(market_id=market.pk, actor=None, now=now)
        Market.objects.filter(pk=market.pk).update(
            open_at=None, close_at=now - timedelta(days=days)
        )
    words, links = sections(boss.get("/admin/"))["Awaiting resolution"]
    assert words.index("Older?") < words.index("Newer?") < words.index("Just now?")
    assert re.search(r"Older\? No at 62% · closed .* UTC 12 days", words), words
    assert "2 days" in words
    assert "today" in words
    assert f"/admin/markets/market/{Market.objects.get(name='Older?').pk}/change/" in links


def test_what_closes_soon_and_who_wrote_a_draft(boss, alice):
    now = timezone.now()
    make_market("Soon?", close_at=now + timedelta(hours=5))
    make_market("Later?", close_at=now + timedelta(hours=25))
    make_market("Unready?", status="draft", actor=alice, now=now)
    found = sections(boss.get("/admin/"))
    closing, drafts = found["Closing within 24 hours"][0], found["Drafts"][0]
    assert "Soon? closes " in closing
    assert "in 4 hours" in closing.replace("\xa0", " ")
    assert "Later?" not in closing
    assert "Unready? by alice, just now" in drafts


@pytest.mark.parametrize("group", SEEN)
def test_each_role_sees_what_it_may_see(world, group):
    page = member("sam", group).get("/admin/")
    assert set(sections(page)) == SEEN[group]


def test_who_has_no_rights_is_told_whom_to_ask(world):
    page = member("sam").get("/admin/")
    assert sections(page) == {}
    assert "Ask a superuser of Bellwether" in page.content.decode()
    assert sidebar_of(page) == ["Home"]


@pytest.mark.parametrize("who", ["superuser", "member of every group"])
def test_the_home_makes_no_more_than_15_queries_however_much_waits(world, who):
    client = member("sam", is_superuser=True) if who == "superuser" else member("sam", *SEEN)
    AuditRun.objects.create(at=timezone.now(), checks=3, breaches=[{"check": "x"}])
    found, writer = {}, person("writer")
    for count in (30, 1_200):
        much(writer, count - sum(found))
        with CaptureQueriesContext(connection) as queries:
            page = client.get("/admin/")
        found[count] = len(queries)
        for title in SECTIONS - {"Last audit", "The last 30 days"}:
            words, links = sections(page)[title]
            assert len(links) == 1 + 7 + 1, "the figure, the rows, and what is not shown"
            assert ("23 more" if count == 30 else "993+ more") in words
            assert (" 30 " if count == 30 else "1,000+") in words
    assert found[30] == found[1_200] <= 15


def test_each_figure_leads_to_the_rows_that_it_counts(boss, alice):
    much(alice, 9)
    make_market("Far?", now=timezone.now(), close_at=timezone.now() + timedelta(days=3))
    shown = sections(boss.get("/admin/"))
    for title in SECTIONS - {"Last audit", "The last 30 days"}:
        words, links = shown[title]
        assert f"{title} 9 " in words
        assert links[0] == links[-1]
        page = boss.get(links[0])
        assert page.status_code == 200, (title, links[0])
        assert page.context["cl"].queryset.count() == 9, title
        for link in links[1:-1]:
            assert boss.get(link).status_code == 200


# --- failed jobs ------------------------------------------------------------------------------------------------------


def test_a_failed_report_is_queued_again_and_built(boss, alice, market, settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path
    report = failed_report(alice, market)
    words, links = sections(boss.get("/admin/"))["Failed jobs"]
    assert f"Report {report.pk}: market history of Will it rain?" in words
    assert "OSError('No space left') · alice" in words
    assert "Retry" in words
    page = boss.post(f"/admin/markets/report/{report.pk}/retry/", follow=True)
    assert page.redirect_chain == [("/admin/", 302)]
    assert f"Report {report.pk} is queued again." in page.content.decode()
    assert "No job has failed" in sections(page)["Failed jobs"][0]
    report.refresh_from_db()
    assert (report.state, report.error, report.progress) == ("queued", "", 0)
    reactions.build_report(report.pk)
    report.refresh_from_db()
    assert report.state == "done"


def test_a_second_press_does_nothing(boss, alice):
    report = failed_report(alice)
    for _ in range(2):
        page = boss.post(f"/admin/markets/report/{report.pk}/retry/", follow=True)
    assert "This was done already" in page.content.decode()


@pytest.mark.parametrize("key", ["0", "12345678901234567890", "abc"])
def test_a_report_that_is_none_is_not_found(boss, key):
    assert boss.post(f"/admin/markets/report/{key}/retry/").status_code == 404


def test_who_may_only_look_has_no_button_and_retries_nothing(alice, world):
    report = failed_report(alice)
    client = member("sam", permissions=["view_report"])
    words, _ = sections(client.get("/admin/"))["Failed jobs"]
    assert "No space left" in words
    assert "Retry" not in words
    assert client.post(f"/admin/markets/report/{report.pk}/retry/").status_code == 403
    report.refresh_from_db()
    assert report.state == "failed"


def test_a_press_without_the_token_of_the_form_is_refused(alice):
    report = failed_report(alice)
    client = Client(enforce_csrf_checks=True)
    client.force_login(alice)
    assert client.post(f"/admin/markets/report/{report.pk}/retry/").status_code == 403
    assert client.get(f"/admin/markets/report/{report.pk}/retry/").status_code == 405


# --- money ------------------------------------------------------------------------------------------------------------


def test_an_audit_notes_how_the_money_stands_and_the_home_shows_it(boss, market, bob):
    trade(bob, market, order(yes_no(market)[0]))
    run = ledger.audit_ledger(now=timezone.now())
    assert run.breaches == []
    assert run.issuance + run.with_traders + run.in_markets == 0
    words, links = sections(boss.get("/admin/"))["Last audit"]
    assert "no breaches" in words
    shown = dict(re.findall(r"(Issued|With traders|In markets), credits ([\d,.]+)", words))
    said = {title: float(amount.replace(",", "")) for title, amount in shown.items()}
    assert said["Issued"] == pytest.approx(said["With traders"] + said["In markets"], abs=0.02)
    for link in links:
        assert boss.get(link).status_code == 200


def test_breaches_are_said(boss):
    AuditRun.objects.create(at=timezone.now(), checks=11, breaches=[{"check": "x"}, {"check": "y"}])
    assert "11 checks 2 breaches" in sections(boss.get("/admin/"))["Last audit"][0]


def test_breaches_are_counted_and_not_read(boss):
    AuditRun.objects.create(at=timezone.now(), breaches=[{"check": "x"}] * 5)
    with CaptureQueriesContext(connection) as queries:
        assert workqueue.last_audit().found == 5
    assert '"breaches",' not in queries[0]["sql"]


def test_who_sees_audits_but_no_accounts_sees_no_money(world):
    AuditRun.objects.create(at=timezone.now(), issuance=-5, with_traders=3, in_markets=2)
    client = member("sam", permissions=["view_auditrun"])
    words, _ = sections(client.get("/admin/"))["Last audit"]
    assert "credits" not in words


# --- the trades of each day -------------------------------------------------------------------------------------------


def told():
    wait_until_told()
    reactions.react_to_trades()


def test_each_trade_is_counted_once_on_its_day_in_utc(market, bob):
    charlie, day = person("charlie"), datetime(2026, 3, 4, 23, 59, 59, tzinfo=UTC)
    yes = yes_no(market)[0]
    costs = [
        trade(who, market, order(yes, shares=MICRO), now=at)[0].cost
        for who, at in (
            (bob, day),
            (bob, day),
            (charlie, day),
            (bob, day + timedelta(seconds=1)),
        )
    ]
    told()
    told()
    assert list(DayTotal.objects.values_list("day", "trades", "volume", "traders")) == [
        (day.date() + timedelta(days=1), 1, costs[3], 1),
        (day.date(), 3, sum(costs[:3]), 2),
    ]
    trade(charlie, market, order(yes, shares=MICRO), now=day + timedelta(seconds=2))
    trade(charlie, market, order(yes, shares=MICRO), now=day + timedelta(seconds=3))
    told()
    newest = DayTotal.objects.get(day=day.date() + timedelta(days=1))
    assert (newest.trades, newest.traders) == (3, 2)


def test_who_traded_is_forgotten_after_some_days_and_the_totals_stay(market, bob):
    yes, day = yes_no(market)[0], datetime(2026, 3, 4, 12, tzinfo=UTC)
    for days in (0, 30):
        trade(bob, market, order(yes, shares=MICRO), now=day + timedelta(days=days))
        told()
    assert DayTrader.objects.count() == 1
    assert DayTotal.objects.count() == 2


def test_the_charts_say_their_numbers_in_words(boss, market, bob):
    now = timezone.now()
    for _ in range(3):
        trade(bob, market, order(yes_no(market)[0], shares=MICRO), now=now)
    told()
    today = f"{now.astimezone(UTC):%-d %b}"
    page = boss.get("/admin/").content.decode()
    assert f"most 3 on {today}; 3 on {today}." in page
    assert page.count('<svg role="img"') == 3
    assert len(re.findall("<rect ", page)) == 90


def test_the_charts_read_thirty_rows_however_many_trades_there_are(boss, world):
    today = timezone.now().astimezone(UTC).date()
    DayTotal.objects.bulk_create(
        DayTotal(day=today - timedelta(days=n), trades=10**6, volume=10**12, traders=10**5)
        for n in range(400)
    )
    totals = workqueue.day_totals(timezone.now(), 30)
    assert [total.day for total in totals] == [today - timedelta(days=29 - n) for n in range(30)]
    assert "1,000,000 today, most 1,000,000" in sections(boss.get("/admin/"))["The last 30 days"][0]


# --- the sidebar ------------------------------------------------------------------------------------------------------


def test_every_model_of_the_admin_stands_in_the_sidebar(boss):
    known = {entry.of for entries in GROUPS.values() for entry in entries}
    assert known == set(admin.site._registry)
    assert sidebar_of(boss.get("/admin/"))[:3] == ["Home", "Awaiting resolution", "Markets"]


def test_the_sidebar_counts_what_waits(boss, alice, market):
    lifecycle.close_market(market_id=market.pk, actor=None, now=timezone.now())
    failed_report(alice)
    assert {"Awaiting resolution 1", "Reports 1"} <= set(sidebar_of(boss.get("/admin/")))


def test_a_treasurer_finds_money_in_the_sidebar_and_nothing_else(world, market):
    shown = sidebar_of(member("sam", "Treasurers").get("/admin/"))
    assert shown == [
        "Home",
        "Users",
        "Accounts",
        "Trades",
        "Positions",
        "Journal entries",
        "Audits",
    ]


@pytest.mark.parametrize(
    ("address", "opened"),
    [
        ("/admin/", "Home"),
        ("/admin/markets/market/", "Markets"),
        ("/admin/markets/market/?queue=awaiting", "Awaiting resolution"),
        ("/admin/markets/market/?queue=drafts", "Markets"),
        ("/admin/markets/market/add/", "Markets"),
        ("/admin/markets/trade/", "Trades"),
    ],
)
def test_the_sidebar_shows_where_one_is(boss, address, opened):
    inside = inside_of_sidebar(boss.get(address))
    active = re.findall(r'<a [^>]*class="[^"]* active"[^>]*>(.*?)</a>', inside, re.DOTALL)
    assert len(active) == 1
    assert opened in active[0]


# --- the palette ------------------------------------------------------------------------------------------------------


def results(client, text):
    page = client.get("/admin/search/", {"s": text, "extended": 1})
    assert page.status_code == 200
    found = re.findall(r'href="([^"]*)"\s+data-title="([^"]*)"', page.content.decode())
    return [(html.unescape(title), link) for link, title in found]


def test_the_palette_finds_a_market_a_trader_and_a_page(boss, bob):
    market = make_market("Will the Rhine freeze?", status="draft")
    react_to_all()
    ledger.open_account(user=bob, now=timezone.now())
    ann = ledger.open_account(user=person("Ann.Smith"), now=timezone.now())
    address = f"/admin/markets/market/{market.pk}/change/"
    assert results(boss, "rhine") == [("Will the Rhine freeze?", address)]
    assert results(boss, "Rhi") == [("Will the Rhine freeze?", address)], "a word cut short"
    assert results(boss, "Ann.S") == [("Ann.Smith", f"/admin/auth/user/{ann.user_id}/change/")]
    assert results(boss, "ann") == [("Ann.Smith", f"/admin/auth/user/{ann.user_id}/change/")]
    assert ("Awaiting resolution", "/admin/markets/market/?queue=awaiting") in results(
        boss, "awaiting"
    )
    assert ("API keys", "/admin/markets/apikey/") in results(boss, "api k")
    assert results(boss, "x") == []
    assert results(boss, "smith") == [], "the beginning of a name"


def test_the_palette_shows_nobody_what_they_may_not_see(bob):
    make_market("Will the Rhine freeze?", status="draft")
    react_to_all()
    ledger.open_account(user=bob, now=timezone.now())
    plain, treasurer = member("plain"), member("tom", "Treasurers")
    editor = member("eve", "Market editors")
    assert [results(plain, text) for text in ("rhine", "bob", "awaiting", "account")] == [[]] * 4
    assert results(treasurer, "rhine") == []
    assert [title for title, _ in results(treasurer, "bob")] == ["bob"]
    assert results(editor, "bob") == []
    assert [title for title, _ in results(editor, "rhine")] == ["Will the Rhine freeze?"]


def test_the_palette_shows_ten_of_many(boss):
    for number in range(12):
        make_market(f"Will it rain on day {number}?")
        ledger.open_account(user=person(f"rainer{number}"), now=timezone.now())
    react_to_all()
    with CaptureQueriesContext(connection) as queries:
        found = [title for title, _ in results(boss, "rain")]
    assert len([title for title in found if title.startswith("Will it rain")]) == 10
    assert len([title for title in found if title.startswith("rainer")]) == 10
    assert len(queries) <= 10
