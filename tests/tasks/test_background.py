"""What follows from an event, in a worker: notifications, e-mail, search, reports; and what finds it again when it got lost."""

import csv
import io
from datetime import timedelta

import pytest
from django.core import mail
from django.utils import timezone

from markets.infra import broker
from markets.models import Category, CategoryFollow, Event, Market, Notification, Report
from markets.services import lifecycle, notifications, report_files
from markets.services.report_files import request_report
from markets.tasks import clock, reactions
from tests.support.clock import NOW
from tests.support.factory import order, trade, yes_no
from tests.support.people import person
from tests.support.processes import wait_for
from tests.support.reactions import react_to_all
from tests.support.threads import together


@pytest.fixture
def weather(world):
    return Category.objects.create(slug="weather", name="Weather")


def test_staff_and_followers_of_the_category_hear_of_a_new_market(make_market, alice, bob, weather):
    charlie = person("charlie")
    CategoryFollow.objects.create(user=bob, category=weather)
    make_market(category="Weather")
    react_to_all()
    assert set(Notification.objects.values_list("user__username", "text")) == {
        ("alice", "New market: Will it rain?"), ("bob", "New market: Will it rain?")
    }  # fmt: skip
    assert sorted(message.to[0] for message in sent()) == ["alice@example.org", "bob@example.org"]
    assert "/markets/will-it-rain" in mail.outbox[0].body
    assert not charlie.notifications.exists()


def sent():
    reactions.send_emails()
    return mail.outbox


def test_a_draft_is_staffs_business_until_it_opens(make_market, alice, bob, weather):
    CategoryFollow.objects.create(user=bob, category=weather)
    market = make_market(category="Weather", status="draft")
    react_to_all()
    assert not bob.notifications.exists()
    lifecycle.open_market(market_id=market.pk, actor=None, now=NOW)
    react_to_all()
    assert [n.text for n in bob.notifications.all()] == ["Now public: Will it rain?"]
    assert alice.notifications.count() == 1


def test_a_reaction_happens_once_however_often_the_task_runs(make_market, alice):
    make_market()
    event = Event.objects.get()
    for _ in range(3):
        reactions.react(event.pk)
        sent()
    assert Notification.objects.count() == len(mail.outbox) == 1


def test_reactions_that_run_at_the_same_time_happen_once(make_market, alice):
    make_market()
    event = Event.objects.get()
    together(6, lambda _: reactions.react(event.pk))
    assert Notification.objects.count() == 1


def test_a_reaction_that_fails_leaves_nothing_and_is_tried_again(make_market, alice, monkeypatch):
    make_market()
    event = Event.objects.get()

    def broken(*_args, **_kwargs):
        raise RuntimeError

    with monkeypatch.context() as patch, pytest.raises(RuntimeError):
        patch.setattr(notifications, "create_for", broken)
        reactions.react(event.pk)
    event.refresh_from_db()
    assert event.pending
    assert Market.objects.get().search_vector is None
    reactions.react(event.pk)
    assert Notification.objects.count() == 1


def test_an_email_that_cannot_be_sent_stays_due(make_market, alice, settings):
    settings.EMAIL_BACKEND = f"{__name__}.NoPost"
    make_market()
    react_to_all()
    with pytest.raises(OSError, match="no post today"):
        reactions.send_emails()
    assert Notification.objects.filter(email_due=True).count() == 1


class NoPost:
    def __init__(self, **_options): ...
    def __enter__(self):
        return self

    def __exit__(self, *_error): ...
    def send_messages(self, _messages):
        raise OSError("no post today")


def test_imported_markets_fill_no_mailboxes(make_market, alice):
    make_market(imported=True)
    react_to_all()
    assert alice.notifications.count() == 1
    assert not sent()


def test_a_write_goes_through_while_the_broker_is_down(
    world, alice, make_market, caplog, monkeypatch
):
    from config.celery import app

    monkeypatch.setattr(broker, "BROKER_RETRY_SECONDS", 0)
    with app.connection_for_write(url="redis://127.0.0.1:1/0") as dead:
        send = app.send_task
        monkeypatch.setattr(app, "send_task", lambda name, args: send(name, args, connection=dead))
        make_market()
        make_market("Another?")
    monkeypatch.undo()
    monkeypatch.setattr(broker, "_broker_down_at", 0.0)
    assert Event.objects.filter(pending=True).count() == 2
    assert [r.msg["event"] for r in caplog.records if r.name == "bellwether.tasks"] == [
        "broker_unavailable"
    ]


def test_what_the_broker_lost_is_found_and_sent_again(make_market, monkeypatch):
    make_market(now=timezone.now() - timedelta(minutes=1))
    make_market("Fresh?", now=timezone.now())
    make_market("Given up?", now=timezone.now() - timedelta(days=2))
    sent_again = []
    monkeypatch.setattr(broker, "start", lambda task, *args: sent_again.append((task, args)))
    clock.dispatch_pending()
    assert sent_again == [("markets.tasks.react", (Event.objects.order_by("pk").first().pk,))]


def test_a_real_worker_handles_the_event_and_logs_the_request_that_caused_it(
    worker, make_market, alice
):
    import structlog

    with structlog.contextvars.bound_contextvars(request_id="the-request"):
        market = make_market("Will the worker work?", now=timezone.now())
    wait_for(lambda: not Event.objects.filter(pending=True).exists())
    market.refresh_from_db()
    assert "worker" in market.search_vector
    assert alice.notifications.count() == 1
    line = wait_for(
        lambda: [line for line in worker.output().splitlines() if "event_handled" in line]
    )[0]
    assert '"request_id": "the-request"' in line


def test_beat_finds_an_event_whose_message_was_lost(worker, make_market, alice, monkeypatch):
    monkeypatch.setattr(broker, "start", lambda *_args: None)
    make_market(now=timezone.now() - timedelta(seconds=20))
    wait_for(lambda: alice.notifications.exists(), 20)


def test_a_report_is_built_with_progress_and_safe_cells(
    alice, make_market, tmp_path, settings, monkeypatch
):
    from markets.domain.text import OutcomeDraft

    settings.MEDIA_ROOT = tmp_path
    market = make_market(outcomes=[OutcomeDraft("=cmd|' /C calc'!A0"), OutcomeDraft("No")])
    lifecycle.pause_market(market_id=market.pk, actor=None, now=NOW)
    monkeypatch.setattr(report_files, "PROGRESS_EVERY", 1)
    seen = []
    monkeypatch.setattr(
        report_files,
        "safe_cell",
        lambda cell, safe=report_files.safe_cell: (
            seen.append(Report.objects.get().progress),
            safe(cell),
        )[1],
    )
    report = request_report(actor=alice, now=NOW, kind="market_history", market_id=market.pk)
    assert report.state == "queued"
    reactions.build_report(report.pk)
    report.refresh_from_db()
    assert (report.state, report.progress) == ("done", 100)
    assert seen == sorted(seen)
    assert max(seen) > 0
    with report.file.open() as file:
        rows = list(csv.reader(io.StringIO(file.read().decode())))
    assert [row[:3:2] for row in rows] == [
        ["seq", "type"],
        ["1", "market.created"],
        ["2", "market.paused"],
    ]
    assert rows[0][3].startswith("price of =cmd")
    assert rows[1][3] == "0.5"


@pytest.mark.parametrize("cell", ["=cmd|' /C calc'!A0", "+1", "-1+1", "@SUM(A1)", "\tx", "\rx"])
def test_a_cell_that_a_spreadsheet_would_run_is_shown_instead(cell):
    assert report_files.safe_cell(cell) == f"'{cell}"
    assert report_files.safe_cell("harmless") == "harmless"


def test_a_report_that_fails_says_so(alice, market, monkeypatch):
    report = request_report(actor=alice, now=NOW, kind="market_history", market_id=market.pk)
    monkeypatch.setattr(report_files, "build", lambda _report: 1 / 0)
    reactions.build_report(report.pk)
    report.refresh_from_db()
    assert (report.state, "ZeroDivisionError" in report.error) == ("failed", True)


def test_a_report_whose_worker_died_is_queued_again(alice, market, monkeypatch):
    report = request_report(actor=alice, now=NOW, kind="market_history", market_id=market.pk)
    Report.objects.filter(pk=report.pk).update(
        state="running", touched_at=timezone.now() - timedelta(minutes=5)
    )
    sent_again = []
    monkeypatch.setattr(broker, "start", lambda task, *args: sent_again.append((task, args)))
    clock.dispatch_pending()
    assert ("markets.tasks.build_report", (report.pk,)) in sent_again


async def test_a_report_through_the_api(staff, market, tmp_path, settings):
    from markets.infra.threads import in_thread

    settings.MEDIA_ROOT = tmp_path
    asked = await staff.post(
        "/api/v1/reports/", json={"kind": "market_history", "market_id": market.pk}
    )
    assert (asked.status_code, asked.json()["status"]) == (202, "queued")
    url = f"/api/v1/reports/{asked.json()['id']}"
    early = await staff.get(f"{url}/download")
    assert (early.status_code, early.json()["code"]) == (409, "report_not_done")
    await in_thread(reactions.build_report, asked.json()["id"])
    assert (await staff.get(url)).json()["progress"] == 100
    file = await staff.get(f"{url}/download")
    assert file.headers["Content-Type"].startswith("text/csv")
    assert file.text.startswith("seq,at,type,price of Yes,price of No\r\n1,")
    assert (
        await staff.post("/api/v1/reports/", json={"kind": "market_history", "market_id": 4711})
    ).status_code == 404


@pytest.mark.parametrize(
    ("kind", "header"),
    [
        ("trades_export", "id,at,market_id"),
        ("calibration", "price from,"),
        ("ledger_audit", "check,"),
    ],
)
def test_the_other_reports(alice, bob, market, tmp_path, settings, kind, header):
    from markets.services import resolution

    settings.MEDIA_ROOT = tmp_path
    yes, _ = yes_no(market)
    trade(bob, market, order(yes))
    resolution.resolve_market(market_id=market.pk, actor=None, now=NOW, weights={yes.pk: 1_000_000})
    report = request_report(actor=alice, now=NOW, kind=kind)
    reactions.build_report(report.pk)
    report.refresh_from_db()
    assert report.state == "done", report.error
    with report.file.open() as file:
        lines = file.read().decode().splitlines()
    assert lines[0].startswith(header)
    assert len(lines) == {"trades_export": 2, "calibration": 3, "ledger_audit": 1}[kind]


def test_a_report_about_nothing_is_refused(alice, market):
    from markets.domain.errors import Invalid

    with pytest.raises(Invalid):
        request_report(actor=alice, now=NOW, kind="market_history")
    with pytest.raises(Invalid):
        request_report(actor=alice, now=NOW, kind="calibration", market_id=market.pk)


def test_the_nightly_audit_says_what_it_found(market, caplog):
    from markets.models import AuditRun

    with caplog.at_level("INFO"):
        clock.audit_ledger()
        Market.objects.update(volume=1)
        clock.audit_ledger()
    assert [r.msg["event"] for r in caplog.records if r.name == "bellwether.jobs"] == [
        "ledger_audited",
        "ledger_breached",
    ]
    assert [len(run.breaches) for run in AuditRun.objects.order_by("pk")] == [0, 1]
