"""The pages of people: what is shown to whom, what it costs, and what is written into their history."""

import json
import re

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group, Permission
from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext

from bench.fill import fill
from markets.admin import traders
from markets.domain.amounts import MICRO, to_text
from markets.domain.errors import Forbidden
from markets.models import Account, ApiKey, JournalEntry, Notification, Position, Posting
from markets.selectors import portfolio
from markets.services import keys, ledger, people
from tests.support.clock import LATER, NOW
from tests.support.database import emptied
from tests.support.factory import balance, make_market, order, resolve, trade, yes_no
from tests.support.people import key_for, person

TABS = ("statement", "positions", "trades", "keys", "notifications")


def of(user, page="change"):
    return f"/admin/auth/user/{user.pk}/{page}/"


def words(answer):
    return " ".join(re.sub(r"<[^>]+>", " ", answer.content.decode()).split())


def browser_of(user):
    client = Client()
    client.force_login(user)
    return client


def member(name, *groups, permissions=()):
    user = person(name, is_staff=True)
    user.groups.set(Group.objects.filter(name__in=groups))
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    return browser_of(user)


@pytest.fixture
def staff(alice):
    return browser_of(alice)


@pytest.fixture
def traded(bob):
    """Bob has traded on many markets, more than one page of them."""
    for number in range(60):
        market = make_market(f"Will {number} happen?")
        trade(bob, market, order(yes_no(market)[0], shares=MICRO))
        event = market.events.first()
        Notification.objects.create(user=bob, event=event, text=f"No. {number}", created_at=NOW)
    for number in range(60):
        key, _ = keys.issue_key(user=bob, now=NOW, name=f"key {number}", scopes=["read"])
        keys.revoke_key(user=bob, key_id=key.pk, now=NOW)
    return bob


# --- what is shown ---


@pytest.mark.parametrize("page", ["", "change", "history", *TABS])
@pytest.mark.parametrize("who", ["superuser", "auditor"])
def test_a_page_shows_fifty_rows_with_few_queries_and_counts_nothing(alice, traded, page, who):
    for number in range(60):
        ledger.open_account(user=person(f"p{number}"), now=NOW)
        people.record_change(traded, f"Change {number}", actor=alice, now=NOW)
    browser = browser_of(alice) if who == "superuser" else member("ann", "Auditors")
    address = of(traded, page) if page else "/admin/auth/user/"
    browser.get(address)  # content types are read once a process
    with CaptureQueriesContext(connection) as queries:
        answer = browser.get(address)
    assert answer.status_code == 200
    assert len(queries) <= 15, [query["sql"][:90] for query in queries]
    if page != "history":
        assert not [query for query in queries if "COUNT(" in query["sql"]]
    if page in {"", *TABS}:
        assert answer.content.count(b"data-row") == 50
        assert b'?p=2"' in answer.content
        assert browser.get(f"{address}?p=2").content.count(b"data-row") in {10, 11, 12, 13}


def test_the_top_says_what_somebody_has_and_who_they_are(staff, alice, bob):
    assert "Has not traded yet" in words(staff.get(of(bob)))
    won, open_ = make_market("Won?"), make_market("Open?")
    for market in (won, open_):
        trade(bob, market, order(yes_no(market)[0], shares=10 * MICRO))
    resolve(won, yes=MICRO)
    positions = {p.market_id: p for p in Position.objects.filter(trader=bob)}
    profit = positions[won.pk].payout - positions[won.pk].cost_basis
    totals = portfolio.totals(bob)
    assert totals == (positions[open_.pk].cost_basis, profit)
    text = words(staff.get(of(bob, "statement")))
    for amount in (balance(bob), totals.invested, profit):
        assert to_text(amount) in text
    people.suspend_user(user_id=bob.pk, actor=alice, reason="x", now=NOW)
    assert "Suspended" in words(staff.get(of(bob)))
    assert "Superuser" in words(staff.get(of(alice)))


def test_the_statement_says_what_who_and_why_newest_first(staff, alice, bob, market):
    trade(bob, market, order(yes_no(market)[0]))
    ledger.grant(user=bob, amount=-5 * MICRO, actor=alice, now=NOW, reason="Lost a bet")
    text = words(staff.get(of(bob, "statement")))
    assert re.search(r"deduction – -5 \S+ alice Lost a bet", text)
    assert text.index("Lost a bet") < text.index("Will it rain?") < text.index("Starting grant")
    assert "+1000" in text


@pytest.mark.parametrize(
    ("tab", "typed", "found"),
    [
        ("statement", "will 7 ", 1), ("statement", "STARTING", 1), ("statement", "trade", 50),
        ("positions", "will 59", 1), ("trades", "will 31", 1), ("trades", "sell", 0),
        ("keys", "key 12", 1), ("notifications", "No. 33", 1), ("trades", "%", 0),
    ],
)  # fmt: skip
def test_a_tab_is_searched(staff, traded, tab, typed, found):
    answer = staff.get(of(traded, tab), {"q": typed})
    assert answer.content.count(b"data-row") == found


@pytest.mark.parametrize(
    "junk", ["?p=0", "?p=-1", "?p=x", "?p=99999999999", "?o=1.2", "?x=y", "?q=\x00"]
)
@pytest.mark.parametrize("tab", ["statement", "keys"])
def test_an_address_that_makes_no_sense_breaks_nothing(staff, bob, tab, junk):
    assert staff.get(of(bob, tab) + junk).status_code in {200, 302, 400}


@pytest.mark.parametrize(
    "page", ["change", "history", "grant", "suspend", "lift", "issue_key", *TABS]
)
def test_somebody_who_is_not_there_is_not_found(staff, page):
    for pk in ("999999", "abc"):
        assert staff.get(f"/admin/auth/user/{pk}/{page}/").status_code in {302, 404}


def test_a_person_sees_only_the_tabs_and_figures_of_models_that_they_may_view(bob, market):
    trade(bob, market, order(yes_no(market)[0]))
    clerk = member("clerk", permissions=["view_user", "view_trade"])
    text = words(clerk.get(of(bob)))
    assert "Trades" in text
    for hidden in ("Statement", "Positions", "API keys", "Balance", "open positions", "Grant"):
        assert hidden not in text
    assert clerk.get(of(bob, "trades")).status_code == 200
    assert "Credits" not in words(clerk.get("/admin/auth/user/"))


def test_who_may_see_people_sees_no_password_and_edits_nothing(alice, bob):
    for group in ("Treasurers", "Auditors"):
        browser = member(group, group)
        for user in (alice, bob):
            page = browser.get(of(user))
            html = page.content.decode()
            assert page.status_code == 200
            assert user.email in html
            for secret in ("pbkdf2", "algorithm", 'name="email"', 'name="password"', "_save"):
                assert secret not in html, (group, secret)
        assert browser.post(of(bob), {"username": "mine", "email": "x@y.z"}).status_code == 403
        for page in ("password", "suspend", "lift", "issue_key"):
            assert browser.get(of(bob, page)).status_code == 403
    assert type(bob).objects.get(pk=bob.pk).email == "bob@example.org"


# --- granting ---

GRANT = {"amount": "12.5", "reason": "Good question", "request_key": "of this form"}


def test_a_grant_is_shown_first_and_then_done_once(staff, alice, bob):
    shown = staff.post(of(bob, "grant"), {**GRANT, "step": "preview"})
    assert "bob has 1000 credits and will have 1012.5." in words(shown)
    assert not Account.objects.filter(user=bob).exists()
    sent = {**GRANT, "step": "confirm", "basis": "any balance"}
    for _ in range(2):
        assert staff.post(of(bob, "grant"), sent).status_code == 302
    assert balance(bob) == 1012_500_000
    entry = JournalEntry.objects.get(note="Good question")
    assert (entry.kind, entry.actor) == ("grant", alice)
    assert "an earlier press" in words(staff.get(of(bob)))
    history = LogEntry.objects.get(object_id=str(bob.pk))
    assert history.get_change_message() == "bob was given 12.5 credits. Reason: Good question"


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"amount": ""}, "This field is required"), ({"reason": " "}, "This field is required"),
        ({"amount": "0"}, "other than zero"), ({"amount": "x"}, "Enter a number"),
        ({"amount": "-1000.000001"}, "This takes 1000.000001 credits; 1000 are there."),
        ({"amount": "0.0000001"}, "no more than 6 decimal"), ({"amount": "1e9999"}, "digit"),
        ({"amount": "NaN"}, "Enter a number"), ({"reason": "x" * 301}, "at most 300"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("step", ["preview", "confirm"])
def test_a_grant_that_cannot_be_says_so_and_keeps_what_was_typed(staff, bob, wrong, says, step):
    sent = {**GRANT, "step": step, "basis": "any balance", **wrong}
    answer = staff.post(of(bob, "grant"), sent)
    assert answer.status_code == 200
    assert says in words(answer)
    for name in {"amount", "reason"} - set(wrong):
        assert f'value="{sent[name]}"' in answer.content.decode()
    assert not JournalEntry.objects.exclude(note="Starting grant").exists()


# --- suspending ---


def test_a_suspension_is_shown_first_and_then_done_once(staff, bob):
    key_for(bob)
    keys.issue_key(user=bob, now=NOW, name="ended", scopes=["read"], expires_at=LATER)
    shown = staff.post(of(bob, "suspend"), {"reason": "Spam", "step": "preview"})
    assert "API keys that rest until it is lifted: 2" in words(shown)
    bob.refresh_from_db()
    assert bob.is_active
    sent = {"reason": "Spam", "step": "confirm", "basis": "active"}
    for _ in range(2):
        assert staff.post(of(bob, "suspend"), sent).status_code == 302
    assert "is suspended already" in words(staff.get(of(bob)))
    assert LogEntry.objects.count() == 1
    bob.refresh_from_db()
    assert not bob.is_active


def test_buttons_are_there_for_those_who_may_and_where_they_do_something(alice, bob):
    clerk = member("clerk", permissions=["view_user", "change_user", "manage_keys"])
    boss = person("boss", is_staff=True)
    seen = words(clerk.get(of(bob)))
    assert "Suspend" in seen
    assert "Issue an API key" in seen
    assert "Lift the suspension" not in seen
    for user in (alice, boss):
        seen = words(clerk.get(of(user)))
        assert "Suspend" not in seen
        assert "Issue an API key" not in seen
        sent = {"reason": "Mine", "step": "confirm", "basis": "active"}
        assert clerk.post(of(user, "suspend"), sent).status_code == 200
        sent = {"name": "x", "scopes": ["read"]}
        assert clerk.post(of(user, "issue_key"), sent).status_code == 200
        user.refresh_from_db()
        assert user.is_active
    assert not ApiKey.objects.exists()
    assert "Suspend" not in words(browser_of(alice).get(of(alice))), "nobody suspends themselves"


def test_the_form_itself_suspends_nobody(staff, bob):
    assert 'name="is_active"' not in staff.get(of(bob)).content.decode()
    assert staff.post(of(bob), {"username": "bob", "email": bob.email}).status_code == 302
    bob.refresh_from_db()
    assert bob.is_active


# --- rights ---


@pytest.mark.parametrize("right", ["is_staff", "is_superuser"])
def test_nobody_takes_their_own_rights_and_locks_everybody_out(staff, alice, right):
    rights = {"is_staff": "on", "is_superuser": "on"}
    del rights[right]
    answer = staff.post(of(alice), {"username": "alice", "email": alice.email, **rights})
    assert "Nobody takes this from themselves" in words(answer)
    alice.refresh_from_db()
    assert alice.is_staff
    assert alice.is_superuser


def test_nobody_deletes_themselves(staff, alice):
    sent = {"action": "delete_selected", "_selected_action": [alice.pk], "post": "yes"}
    staff.post("/admin/auth/user/", sent)
    assert staff.post(of(alice, "delete"), {"post": "yes"}).status_code == 403
    assert type(alice).objects.filter(pk=alice.pk).exists()


def test_of_two_who_take_each_others_rights_the_second_has_none_any_more(alice):
    boss = person("boss", is_staff=True, is_superuser=True)
    type(boss).objects.filter(pk=boss.pk).update(is_superuser=False)  # since `boss` was read
    with pytest.raises(Forbidden), transaction.atomic():
        people.check_rights(user_id=alice.pk, actor=boss, staff=False, superuser=False)


# --- history ---


def test_the_history_says_who_changed_what_from_what(staff, alice, bob):
    groups = {group.name: group for group in Group.objects.all()}
    bob.groups.add(groups["Auditors"])
    right = Permission.objects.get(codename="manage_keys")
    sent = {
        "username": "bob", "email": "new@example.org", "is_staff": "on",
        "groups": [groups["Treasurers"].pk, groups["Resolvers"].pk], "user_permissions": [right.pk],
    }  # fmt: skip
    assert staff.post(of(bob), sent).status_code == 302
    assert LogEntry.objects.get().get_change_message() == (
        "Email address: bob@example.org → new@example.org; staff: no → yes; "
        "groups: + Resolvers, + Treasurers, − Auditors; "
        "user permissions: + Can issue and revoke other people's keys."
    )
    page = words(staff.get(of(bob, "history")))
    assert "alice" in page
    assert "staff: no → yes" in page
    staff.post(of(bob), {**sent, "is_superuser": "on", "groups": []})
    assert "Superuser: no → yes; groups: − Resolvers, − Treasurers." in words(
        staff.get(of(bob, "history"))
    )
    passwords = {"password1": "another horse battery", "password2": "another horse battery"}
    staff.post(of(bob, "password"), {**passwords, "usable_password": "true"})
    assert "Password changed." in words(staff.get(of(bob, "history")))


# --- keys ---


def test_an_issued_key_is_shown_once(staff, bob):
    sent = {"name": "His bot", "scopes": ["read", "trade"], "expires": "2030-05-01"}
    answer = staff.post(of(bob, "issue_key"), sent)
    secret = re.search(r"bw_[0-9a-f]{8}_[\w-]{43}", answer.content.decode())[0]
    assert "no-store" in answer.headers["Cache-Control"]
    key = keys.recognise_key(secret=secret, now=NOW)
    assert (key.user, key.scopes) == (bob, ["read", "trade"])
    assert key.expires_at.isoformat() == "2030-05-01T23:59:59.999999+00:00"
    for page in ("change", "keys", "history"):
        assert secret not in staff.get(of(bob, page)).content.decode()
    again = staff.post(of(bob, "issue_key"), sent)
    assert again.status_code == 200
    assert "bob has a key with this name" in words(again).replace("&#x27;", "'")
    assert ApiKey.objects.count() == 1


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"name": ""}, "required"), ({"scopes": []}, "required"), ({"scopes": ["all"]}, "Select a valid"),
        ({"scopes": ["staff"]}, "Only staff can have"), ({"expires": "2020-01-01"}, "later than now"),
        ({"expires": "soon"}, "Enter a valid date"), ({"name": "x" * 81}, "at most 80"),
    ],
)  # fmt: skip
def test_a_key_that_cannot_be_says_why(staff, bob, wrong, says):
    sent = {"name": "bot", "scopes": ["read"], **wrong}
    answer = staff.post(of(bob, "issue_key"), sent)
    assert answer.status_code == 200
    assert says in words(answer)
    assert not ApiKey.objects.exists()


def test_keys_are_revoked_on_the_tab_by_those_who_may(bob):
    key_for(bob)
    key = ApiKey.objects.get()
    sent = {"action": "revoke", "_selected_action": [key.pk]}
    auditor = member("ann", "Auditors")
    assert "Revoke the chosen" not in words(auditor.get(of(bob, "keys")))
    auditor.post(of(bob, "keys"), sent)
    key.refresh_from_db()
    assert key.revoked_at is None
    clerk = member("clerk", "Auditors", permissions=["manage_keys"])
    foreign, _ = keys.issue_key(user=person("charlie"), now=NOW, name="his", scopes=["read"])
    clerk.post(of(bob, "keys"), {**sent, "_selected_action": [key.pk, foreign.pk]})
    key.refresh_from_db()
    foreign.refresh_from_db()
    assert key.revoked_at is not None
    assert foreign.revoked_at is None, "only the person's own keys are chosen here"
    assert f"Key revoked: {key}." in LogEntry.objects.get().get_change_message()


# --- the list ---


def test_people_are_found_by_name_and_address_and_by_state(staff, alice, bob):
    charlie = person("charlie")
    charlie.email = "carl@elsewhere.org"
    charlie.save()
    people.suspend_user(user_id=charlie.pk, actor=alice, reason="x", now=NOW)

    def found(**query):
        html = staff.get("/admin/auth/user/", query).content.decode()
        return {user.username for user in (alice, bob, charlie) if f"/{user.pk}/change/" in html}

    assert found(q="BO") == {"bob"}
    assert found(q="elsewhere") == {"charlie"}
    assert found(is_active__exact="0") == {"charlie"}
    assert found(is_staff__exact="1") == {"alice"}
    assert found(q="nobody") == set()


# --- size ---


@pytest.fixture(scope="module")
def large(django_db_setup, django_db_blocker):
    """Somebody with many trades, in a database that is large enough for the planner to care."""
    with django_db_blocker.unblock(), emptied():
        fill(200, 10_000)
        trader = Account.objects.filter(kind="trader").latest("pk")
        boss = person("boss", is_staff=True, is_superuser=True)
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE")
        yield trader.user, boss


def nodes(plan):
    yield plan
    for child in plan.get("Plans", ()):
        yield from nodes(child)


@pytest.mark.parametrize("page", [*TABS, "statement/?q=rain", "trades/?q=rain"])
def test_a_tab_reads_no_more_rows_of_somebody_with_many_trades(large, monkeypatch, page):
    monkeypatch.setattr(traders, "MOST_SEARCHED", 100)
    user, boss = large
    browser = browser_of(boss)
    address = f"/admin/auth/user/{user.pk}/{page}" + ("" if "?" in page else "/")
    with CaptureQueriesContext(connection) as captured:
        assert browser.get(address).status_code == 200
    most = 500 if "?" in page else 60
    for query in captured.captured_queries:
        if query["sql"].startswith("SELECT") and "markets_" in query["sql"]:
            with connection.cursor() as cursor:
                cursor.execute(
                    "EXPLAIN (ANALYZE, FORMAT JSON) " + query["sql"].replace("%", "%%"), []
                )
                found = cursor.fetchone()[0]
            plan = (found if isinstance(found, list) else json.loads(found))[0]["Plan"]
            for node in nodes(plan):
                read = node["Actual Rows"] * node["Actual Loops"]
                removed = node.get("Rows Removed by Filter", 0)
                assert read + removed <= most, (query["sql"], node)


def test_the_newest_trades_are_those_of_the_person(staff, bob, market):
    charlie = person("charlie")
    for user, shares in ((bob, 1), (charlie, 2), (bob, 3)):
        trade(user, market, order(yes_no(market)[0], shares=shares * MICRO))
    rows = re.findall(
        r'data-label="Shares">([^<]*)<', staff.get(of(bob, "trades")).content.decode()
    )
    assert rows == ["3", "1"]
    assert Posting.objects.filter(account__user=bob).count() == 3
