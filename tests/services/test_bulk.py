"""One operation on many markets: proposed, confirmed, run, and gone on with."""

import threading
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from markets.domain.amounts import MICRO
from markets.domain.errors import AlreadyDone
from markets.infra import broker
from markets.models import Job, Market
from markets.services import bulk, lifecycle
from markets.tasks import clock, reactions
from tests.support.clock import LATER, NOW
from tests.support.factory import make_market_that_is, order, trade, yes_no

pytestmark = pytest.mark.usefixtures("the_audit_is_clean")


@pytest.fixture
def make_job(alice):
    def make(operation, *markets):
        ids = [market.pk for market in markets]
        return bulk.propose(operation=operation, market_ids=ids, actor=alice, now=NOW)

    return make


@pytest.fixture
def started(monkeypatch):
    """What was given to a worker: there is none."""
    sent = []
    monkeypatch.setattr(broker, "start", lambda task, *args: sent.append((task, args)))
    return sent


def confirm(job, **parameters):
    return bulk.confirm(job_id=job.pk, parameters=parameters, now=NOW)


def counts(job):
    job.refresh_from_db()
    return job.state, job.position, job.done, job.skipped, len(job.failures)


def statuses(*markets):
    found = dict(Market.objects.values_list("pk", "status"))
    return [found[market.pk] for market in markets]


def many(make_market, number, status="active"):
    return [make_market(f"Question {n}?", status=status) for n in range(number)]


# --- what it would do, and what it does -------------------------------------------------------------------------------


def test_a_proposal_changes_nothing_and_a_plan_counts_by_status(make_job, make_market):
    markets = [*many(make_market, 2), *many(make_market, 3, "closed"), make_market(status="draft")]
    job = make_job("close", *markets)
    assert bulk.plan(job, timezone.now()) == (2, {"closed": 3, "draft": 1})
    assert statuses(*markets) == ["active"] * 2 + ["closed"] * 3 + ["draft"]
    assert job.state == "proposed"


@pytest.mark.parametrize("operation", bulk.OPERATIONS)
@pytest.mark.parametrize("status", ["draft", "active", "paused", "closed", "resolved", "cancelled"])
def test_what_the_plan_says_is_what_happens(make_job, operation, status):
    """For each operation on a market of each status."""
    parameters = {
        "move_closing": {"close_at": LATER.isoformat()},
        "set_category": {"category": "weather"},
        "add_tags": {"tags": ["wet"]},
        "cancel": {"note": "Called off."},
    }
    later = {"open_at": LATER - timedelta(days=9)} if status == "draft" else {}
    market = make_market_that_is(status, **later)
    job = make_job(operation, market)
    allowed, others = bulk.plan(job, timezone.now())
    confirm(job, **parameters.get(operation, {}))
    assert counts(job) == ("done", 1, allowed, sum(others.values()), 0)
    assert market.events.count() + Market.objects.exclude(pk=market.pk).count() == (
        market.seq + allowed
    )


def test_each_event_names_who_asked_for_it(make_job, make_market, alice):
    markets = many(make_market, 2)
    confirm(make_job("cancel", *markets), note="Asked twice.")
    for market in markets:
        event = market.events.last()
        assert (event.actor, event.payload["note"]) == (alice, "Asked twice.")


def test_parameters_reach_each_market(make_job, make_market):
    markets = [make_market("A?", tags=["Old"]), make_market("B?", category="Sport")]
    confirm(make_job("move_closing", *markets), close_at=LATER.isoformat())
    confirm(make_job("set_category", *markets), category="weather")
    confirm(make_job("add_tags", *markets), tags=["wet"])
    for market in markets:
        market.refresh_from_db()
        assert (market.close_at, market.category.slug) == (LATER, "weather")
    assert [sorted(tag.slug for tag in market.tags.all()) for market in markets] == [
        ["old", "wet"],
        ["wet"],
    ]
    confirm(make_job("set_category", *markets), category=None)
    markets[0].refresh_from_db()
    assert markets[0].category is None


def test_a_copy_is_a_draft_with_the_same_question_and_nothing_else(make_job, make_market, bob):
    market = make_market("Rain?", description="Where?", category="Weather", tags=["Wet"])
    trade(bob, market, order(yes_no(market)[0]))
    confirm(make_job("duplicate", market))
    copy = Market.objects.exclude(pk=market.pk).get()
    assert (copy.name, copy.description, copy.category, copy.status) == (
        "Rain?",
        "Where?",
        market.category,
        "draft",
    )
    assert [tag.slug for tag in copy.tags.all()] == ["wet"]
    assert [o.label for o in yes_no(copy)] == ["Yes", "No"]
    assert (copy.trade_count, copy.volume, copy.slug != market.slug) == (0, 0, True)


def test_what_is_skipped_is_listed_by_name_and_holds_up_nothing(make_job, make_market):
    late = make_market("Late?", status="draft", close_at=NOW + timedelta(days=1))
    fine = make_market("Fine?", status="draft")
    job = confirm(make_job("open", late, fine))
    assert counts(job) == ("done", 2, 1, 1, 0)
    assert job.skips == [
        {
            "market": late.pk,
            "name": "Late?",
            "why": "The closing time has passed: set a later one first.",
        }
    ]
    assert statuses(late, fine) == ["draft", "active"]


def test_a_market_that_is_gone_is_skipped(make_job, make_market):
    market, gone = make_market("Stays?"), make_market("Gone?", status="draft")
    job = make_job("close", gone, market)
    gone.events.all().delete()
    gone.delete()
    confirm(job)
    assert counts(job) == ("done", 2, 1, 1, 0)


# --- once -------------------------------------------------------------------------------------------------------------


def test_a_second_confirmation_is_refused(make_job, market):
    job = make_job("duplicate", market)
    confirm(job)
    with pytest.raises(AlreadyDone):
        confirm(job)
    assert Market.objects.count() == 2


def test_two_confirmations_at_once_run_it_once(make_job, market):
    from tests.support.threads import together

    job = make_job("duplicate", market)

    def work(_number):
        try:
            return confirm(job).state
        except AlreadyDone:
            return "refused"

    assert sorted(together(4, work)) == ["done", "refused", "refused", "refused"]
    assert Market.objects.count() == 2


# --- by a worker ------------------------------------------------------------------------------------------------------


def test_more_than_a_hundred_are_left_to_a_worker(make_job, make_market, started):
    markets = many(make_market, bulk.AT_ONCE + 1)
    job = confirm(make_job("close", *markets))
    assert counts(job) == ("queued", 0, 0, 0, 0)
    assert started[-1] == (broker.RUN_JOB, (job.pk,))
    reactions.run_job(job.pk)
    assert counts(job) == ("done", 101, 101, 0, 0)
    assert set(statuses(*markets)) == {"closed"}
    reactions.run_job(job.pk)
    assert counts(job) == ("done", 101, 101, 0, 0)


def test_a_job_that_nobody_confirmed_is_not_run(make_job, market):
    job = make_job("close", market)
    reactions.run_job(job.pk)
    assert counts(job) == ("proposed", 0, 0, 0, 0)
    assert statuses(market) == ["active"]


class Killed(BaseException):
    """As a worker dies: nothing catches it."""


def dies_at(monkeypatch, number, error=Killed):
    """The next run dies when it comes to its `number`-th market, after what it did there was committed."""
    done = []
    close = lifecycle.close_market

    def closing(**facts):
        closed = close(**facts)
        done.append(closed.pk)
        if len(done) == number:
            raise error
        return closed

    operation = bulk.OPERATIONS["close"]._replace(run=closing)
    monkeypatch.setitem(bulk.OPERATIONS, "close", operation)
    return done


def queued(job):
    Job.objects.filter(pk=job.pk).update(state="queued", touched_at=timezone.now())


def silent(job, seconds=61):
    """As if its worker had not been seen for a while."""
    Job.objects.filter(pk=job.pk).update(touched_at=timezone.now() - timedelta(seconds=seconds))


def test_a_job_whose_worker_was_killed_goes_on_where_it_was(
    make_job, make_market, monkeypatch, started
):
    markets = many(make_market, 5)
    job = make_job("close", *markets)
    queued(job)
    with monkeypatch.context() as patch:
        dies_at(patch, 3)
        with pytest.raises(Killed):
            reactions.run_job(job.pk)
    assert counts(job) == ("running", 2, 2, 0, 0), "the third was closed, but nobody counted it"
    started.clear()
    clock.dispatch_pending()
    assert (broker.RUN_JOB, (job.pk,)) not in started, "it may be alive still"
    silent(job)
    clock.dispatch_pending()
    assert started[-1] == (broker.RUN_JOB, (job.pk,))
    reactions.run_job(job.pk)
    assert counts(job) == ("done", 5, 4, 1, 0), "each market is counted once"
    assert set(statuses(*markets)) == {"closed"}
    assert [market.events.count() for market in markets] == [2] * 5


@pytest.mark.parametrize("state", ["queued", "running"])
def test_a_silent_job_is_queued_again_once_a_minute(make_job, market, started, state):
    job = make_job("close", market)
    Job.objects.filter(pk=job.pk).update(state=state)
    silent(job)
    started.clear()
    clock.dispatch_pending()
    clock.dispatch_pending()
    assert started.count((broker.RUN_JOB, (job.pk,))) == 1


@pytest.mark.parametrize("state", ["proposed", "done", "failed"])
def test_other_jobs_are_not(make_job, market, started, state):
    job = make_job("close", market)
    Job.objects.filter(pk=job.pk).update(state=state, created_at=timezone.now())
    silent(job, 3600)
    clock.dispatch_pending()
    assert (broker.RUN_JOB, (job.pk,)) not in started


def test_proposals_are_forgotten_after_a_week(make_job, market, started):
    old, new, done = (make_job("close", market) for _ in range(3))
    now = timezone.now()
    Job.objects.filter(pk__in=[old.pk, done.pk]).update(created_at=now - timedelta(days=7, hours=1))
    Job.objects.filter(pk=done.pk).update(state="done")
    Job.objects.filter(pk=new.pk).update(created_at=now - timedelta(days=6))
    clock.dispatch_pending()
    assert set(Job.objects.values_list("pk", flat=True)) == {new.pk, done.pk}


def test_a_job_that_fails_says_why_and_can_be_gone_on_with(
    make_job, make_market, monkeypatch, started
):
    markets = many(make_market, 3)
    job = make_job("close", *markets)
    queued(job)
    with monkeypatch.context() as patch:
        dies_at(patch, 2, ZeroDivisionError("a fault in the code"))
        reactions.run_job(job.pk)
    assert counts(job) == ("failed", 1, 1, 0, 0)
    assert job.error == "ZeroDivisionError('a fault in the code')"
    reactions.run_job(job.pk)
    assert counts(job)[:2] == ("failed", 1), "only a person goes on with it"
    bulk.retry(job_id=job.pk, now=NOW)
    assert started[-1] == (broker.RUN_JOB, (job.pk,))
    with pytest.raises(AlreadyDone):
        bulk.retry(job_id=job.pk, now=NOW)
    reactions.run_job(job.pk)
    assert counts(job) == ("done", 3, 2, 1, 0)
    assert job.error == ""


@pytest.mark.parametrize("operation", ["close", "duplicate"])
def test_two_workers_on_one_job_do_and_count_nothing_twice(
    make_job, make_market, monkeypatch, operation
):
    """The second comes while the first is inside the first market: it finds the job taken."""
    markets = many(make_market, 3)
    job = make_job(operation, *markets)
    queued(job)
    original = bulk.OPERATIONS[operation]
    inside, may_go_on = threading.Event(), threading.Event()

    def slow(**facts):
        if threading.current_thread().name == "first" and not inside.is_set():
            inside.set()
            assert may_go_on.wait(10)
        return original.run(**facts)

    monkeypatch.setitem(bulk.OPERATIONS, operation, original._replace(run=slow))

    def call():
        try:
            reactions.run_job(job.pk)
        finally:
            connection.close()

    first = threading.Thread(target=call, name="first")
    first.start()
    assert inside.wait(10)
    second = threading.Thread(target=call, name="second")
    second.start()
    second.join(10)
    may_go_on.set()
    first.join(10)
    assert counts(job) == ("done", 3, 3, 0, 0)
    assert Market.objects.count() == (6 if operation == "duplicate" else 3)


def test_a_worker_that_was_thought_dead_and_lives_counts_nothing_twice(
    make_job, make_market, monkeypatch, started
):
    """The first is silent for over a minute in its first market; the clock gives the job to a second."""
    markets = many(make_market, 3)
    job = make_job("close", *markets)
    queued(job)
    close, calls = lifecycle.close_market, []

    def closing(**facts):
        calls.append(facts["market_id"])
        if len(calls) == 1:
            silent(job)
            clock.dispatch_pending()
            reactions.run_job(job.pk)
        return close(**facts)

    patched = bulk.OPERATIONS["close"]._replace(run=closing)
    monkeypatch.setitem(bulk.OPERATIONS, "close", patched)
    reactions.run_job(job.pk)
    assert counts(job) == ("done", 3, 3, 0, 0)
    assert [market.events.count() for market in markets] == [2] * 3


def test_money_is_right_after_a_job_of_cancellations(make_job, make_market, bob):
    markets = many(make_market, 4)
    for market in markets:
        trade(bob, market, order(yes_no(market)[0], shares=7 * MICRO))
    confirm(make_job("cancel", *markets), note="")
    assert set(statuses(*markets)) == {"cancelled"}


def test_a_real_worker_does_it(worker, make_job, make_market):
    from tests.support.processes import wait_for

    markets = [*many(make_market, 100), *many(make_market, 20, "closed")]
    job = confirm(make_job("close", *markets))
    wait_for(lambda: Job.objects.get(pk=job.pk).state == "done", 60)
    assert counts(job) == ("done", 120, 100, 20, 0)
