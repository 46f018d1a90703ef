"""Rows that staff look at: readable amounts, pages that open at once, and what Unfold adds to a page."""

import re

import pytest
from django.contrib import admin as site
from django.contrib.auth.models import Permission
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from markets.models import Account, JournalEntry, Market, Position, Posting, Trade
from markets.services import ledger
from tests.support.clock import NOW
from tests.support.factory import order, trade, yes_no
from tests.support.forms import fields_of, words
from tests.support.people import person


@pytest.fixture
def staff(alice):
    """Alice's browser, without JavaScript."""
    client = Client()
    client.force_login(alice)
    return client


@pytest.fixture
def traded(market, bob):
    trade(bob, market, order(yes_no(market)[0], shares=12_500_000))
    return market


def test_a_journal_entry_of_thousands_of_postings_opens_at_once(staff, world):
    people = [person(f"p{number}") for number in range(3)]
    accounts = [ledger.open_account(user=user, now=NOW) for user in people]
    more = Account.objects.bulk_create(
        Account(kind="trader", user=user, balance=1)
        for user in type(people[0]).objects.bulk_create(
            type(people[0])(username=f"q{n}") for n in range(3000)
        )
    )
    entry = JournalEntry.objects.create(kind="payout", at=NOW)
    Posting.objects.bulk_create(
        Posting(entry=entry, account=a, amount=1_500_000, balance=2) for a in [*accounts, *more]
    )
    with CaptureQueriesContext(connection) as queries:
        page = staff.get(f"/admin/markets/journalentry/{entry.pk}/change/")
    assert page.status_code == 200
    assert len(queries) <= 15
    assert page.content.decode().count("1.5") >= 50
    assert len(page.content) < 400_000


@pytest.mark.parametrize(
    ("model", "shown"),
    [(Account, "993."), (Position, "12.5"), (Trade, "12.5"), (JournalEntry, "1000")],
)
def test_amounts_are_shown_as_decimals(staff, traded, bob, model, shown):
    rows = {
        Account: lambda: Account.objects.get(user=bob),
        JournalEntry: lambda: JournalEntry.objects.get(note="Starting grant"),
    }
    row = rows.get(model, lambda: model.objects.get())()
    name = model._meta.model_name
    page = staff.get(f"/admin/markets/{name}/{row.pk}/change/")
    assert shown in words(page)
    listed = words(staff.get(f"/admin/markets/{name}/"))
    for text in (words(page), listed):
        assert not re.search(r"\b(12500000|993\d{6}|1000000000|100000000)\b", text), (
            "no raw millionths"
        )


def test_a_viewer_reads_the_liquidity_of_a_market_as_shares(traded):
    viewer = person("viewer", is_staff=True)
    viewer.user_permissions.add(Permission.objects.get(codename="view_market"))
    client = Client()
    client.force_login(viewer)
    text = words(client.get(f"/admin/markets/market/{traded.pk}/change/"))
    assert "Liquidity" in text
    assert "100000000" not in text


def test_what_unfold_adds_to_a_form_is_there(staff, market, monkeypatch):
    """The market's form once bypassed Unfold's view, so that none of its buttons could show."""
    markets = site.site.get_model_admin(Market)

    def extra(request, row): ...

    extra.short_description = "An extra button"
    monkeypatch.setattr(markets, "actions_submit_line", ["extra"])
    monkeypatch.setattr(markets, "extra", extra, raising=False)
    assert "An extra button" in words(staff.get(f"/admin/markets/market/{market.pk}/change/"))


def test_an_editor_without_rights_on_outcomes_saves_a_market(world):
    editor = person("editor", is_staff=True)
    editor.user_permissions.set(
        Permission.objects.filter(codename__in=["add_market", "change_market", "view_market"])
    )
    client = Client()
    client.force_login(editor)
    answer = client.post(
        "/admin/markets/market/add/", {"name": "Will it rain?", "liquidity": "100"}
    )
    assert answer.status_code == 302
    market = Market.objects.get()
    assert [outcome.label for outcome in yes_no(market)] == ["Yes", "No"]
    url = f"/admin/markets/market/{market.pk}/change/"
    sent = fields_of(client.get(url)) | {"name": "Will it snow?"}
    assert client.post(url, sent).status_code == 302
    market.refresh_from_db()
    assert market.name == "Will it snow?"


def test_the_address_without_its_slash_leads_to_the_admin(staff):
    assert staff.get("/admin").headers["Location"] == "/admin/"


def test_who_may_change_people_gives_nobody_rights(alice):
    clerk = person("clerk", is_staff=True)
    clerk.user_permissions.set(
        Permission.objects.filter(
            codename__in=["change_user", "view_user", "change_group", "view_group"]
        )
    )
    client = Client()
    client.force_login(clerk)
    own = client.get(f"/admin/auth/user/{clerk.pk}/change/")
    assert own.status_code == 200
    for field in ("is_superuser", "is_staff", "groups", "user_permissions"):
        assert f'name="{field}"' not in own.content.decode()
    sent = {
        "username": "clerk",
        "is_active": "on",
        "is_superuser": "on",
        "date_joined_0": "2026-01-01",
        "date_joined_1": "00:00",
    }
    client.post(f"/admin/auth/user/{clerk.pk}/change/", sent)
    clerk.refresh_from_db()
    assert not clerk.is_superuser
    assert (
        client.post(f"/admin/auth/user/{alice.pk}/password/", {"password1": "x"}).status_code == 403
    )
    assert "Save" not in words(client.get(f"/admin/auth/user/{alice.pk}/change/"))


def test_who_may_change_people_takes_over_no_member_of_staff(world):
    clerk, boss = person("clerk", is_staff=True), person("boss", is_staff=True)
    clerk.user_permissions.set(Permission.objects.filter(codename__in=["change_user", "view_user"]))
    client = Client()
    client.force_login(clerk)
    page = f"/admin/auth/user/{boss.pk}"
    assert client.post(f"{page}/password/", {"password1": "x"}).status_code == 403
    assert client.post(f"{page}/change/", {"username": "mine"}).status_code == 403
    assert client.get(f"/admin/auth/user/{person('trader').pk}/password/").status_code == 200


NO_INLINES = {  # the rows of outcomes stay as they are
    f"outcomes-{count}_FORMS": "0" for count in ("TOTAL", "INITIAL")
}


@pytest.mark.parametrize("ends", ["\n", "\r\n"])
def test_the_ends_of_lines_are_no_edit(staff, make_market, bob, ends):
    market = make_market(resolution_criteria=f"First.{ends}Second.", description=f"One.{ends}Two.")
    trade(bob, market, order(yes_no(market)[0]))
    url = f"/admin/markets/market/{market.pk}/change/"
    sent = fields_of(staff.get(url))
    for name in ("description", "resolution_criteria"):
        sent[name] = re.sub("\r?\n", "\r\n", sent[name])  # as browsers send them
    answer = staff.post(url, {**sent, "source_url": "https://example.org/x"})
    assert answer.status_code == 302, words(answer)
    assert set(market.events.last().payload["changes"]) == {"source_url"}


def test_a_form_that_does_not_say_what_it_showed_overwrites_nothing(staff, market):
    url = f"/admin/markets/market/{market.pk}/change/"
    answer = staff.post(url, {"name": "Overwritten?", "liquidity": "100", **NO_INLINES})
    assert answer.status_code == 200
    market.refresh_from_db()
    assert market.name == "Will it rain?"


def test_a_viewer_reads_the_first_prices_as_decimals(market):
    viewer = person("viewer", is_staff=True)
    viewer.user_permissions.set(Permission.objects.filter(codename__startswith="view_"))
    client = Client()
    client.force_login(viewer)
    text = words(client.get(f"/admin/markets/market/{market.pk}/change/"))
    assert "0.5" in text
    assert "500000" not in text


def test_rows_that_are_none_are_refused(staff, market):
    sent = {"action": "pause", "_selected_action": ["abc"], "index": "0"}
    answer = staff.post("/admin/markets/market/", sent, follow=True)
    assert "Choose rows of this list." in words(answer)


@pytest.mark.parametrize("junk", ["abc", "-1", "9" * 30, "\x00"])
@pytest.mark.parametrize("field", ["category", "tags"])
def test_a_category_or_tag_that_is_no_number_is_a_bad_request(staff, market, field, junk):
    path = f"/admin/markets/market/{market.pk}/change/"
    sent = {"name": market.name, field: junk}
    for answer in (staff.post(path, sent), staff.get("/admin/markets/market/add/", {field: junk})):
        assert answer.status_code == 400
    market.refresh_from_db()
    assert market.seq == 1


def test_a_second_account_for_one_person_is_refused(staff, bob):
    ledger.open_account(user=bob, now=NOW)
    page = staff.post("/admin/markets/account/add/", {"username": "bob"})
    assert "bob has an account already" in words(page)
    assert Account.objects.filter(user=bob).count() == 1


@pytest.mark.parametrize("queue", ["failed_reports", "unhandled", "nonsense", ""])
def test_a_queue_of_something_else_filters_no_markets(staff, market, queue):
    assert market.name in words(staff.get("/admin/markets/market/", {"queue": queue}))


def test_who_may_not_see_a_page_is_told_why_and_where_to_go(world):
    browser = Client()
    browser.force_login(person("sam", is_staff=True))
    answer = browser.get("/admin/auth/user/")
    assert answer.status_code == 403
    for said in ("You may not do this", "Ask a superuser", "Go to the admin"):
        assert said in answer.content.decode()
