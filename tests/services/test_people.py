"""Suspending people and lifting it, and keys that are issued for them."""

import threading

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.sessions.models import Session
from django.db import connection, transaction
from django.test import Client
from django.utils import timezone

from markets.domain.amounts import MICRO
from markets.domain.errors import Forbidden, Invalid, NotFound, Refused, Unauthenticated
from markets.infra.threads import in_thread
from markets.models import ApiKey, Trade
from markets.services import keys, locks, people
from tests.support.clock import LATER, NOW
from tests.support.factory import order, trade, yes_no
from tests.support.people import bearer, key_for, person
from tests.support.processes import serving
from tests.support.sse import listening
from tests.support.threads import together


def suspend(user, actor, reason="Two accounts."):
    return people.suspend_user(user_id=user.pk, actor=actor, reason=reason, now=NOW)


def lift(user, actor, reason="A brother."):
    return people.lift_suspension(user_id=user.pk, actor=actor, reason=reason, now=NOW)


def refusal(work):
    try:
        return work()
    except Refused as error:
        return type(error)


def test_a_suspension_and_its_end_are_in_the_history_with_who_when_and_why(alice, bob):
    suspend(bob, alice)
    bob.refresh_from_db()
    assert not bob.is_active
    lift(bob, alice)
    bob.refresh_from_db()
    assert bob.is_active
    entries = LogEntry.objects.filter(object_id=str(bob.pk)).order_by("pk")
    assert [(entry.user, entry.action_time, entry.get_change_message()) for entry in entries] == [
        (alice, NOW, "Suspended: no → yes. Reason: Two accounts."),
        (alice, NOW, "Suspended: yes → no. Reason: A brother."),
    ]


def test_a_suspended_person_has_no_session_and_lifting_brings_none_back(alice, bob):
    bobs, others = Client(), Client()
    bobs.force_login(bob)
    others.force_login(person("charlie"))
    assert bobs.get("/api/v1/me").status_code == 200
    suspend(bob, alice)
    assert bobs.get("/api/v1/me").status_code == 401
    assert not Client().login(username="bob", password="correct horse battery staple")
    lift(bob, alice)
    assert bobs.get("/api/v1/me").status_code == 401
    assert others.get("/api/v1/me").status_code == 200
    assert Session.objects.count() == 1
    assert Client().login(username="bob", password="correct horse battery staple")


def test_keys_rest_while_their_owner_is_suspended(alice, bob):
    secret = key_for(bob, "read")
    keys.recognise_key(secret=secret, now=NOW)
    suspend(bob, alice)
    with pytest.raises(Unauthenticated, match="suspended"):
        keys.recognise_key(secret=secret, now=NOW)
    with pytest.raises(Unauthenticated, match="Send a valid key"):
        keys.recognise_key(secret=secret[:-1] + "_", now=NOW)
    lift(bob, alice)
    assert keys.recognise_key(secret=secret, now=NOW).user == bob


async def test_a_key_that_was_just_used_is_refused_at_once_and_trades_no_more(
    client, alice, bob, market
):
    headers = bearer(await in_thread(key_for, bob, "read", "trade"))
    outcome = await in_thread(lambda: market.outcomes.first().pk)
    sent = {"outcome_id": outcome, "side": "buy", "shares": "1", "client_order_id": "a"}
    address = f"/api/v1/markets/{market.pk}/trades"
    assert (await client.post(address, json=sent, headers=headers)).status_code == 201
    await in_thread(suspend, bob, alice)
    refused = await client.post(address, json={**sent, "client_order_id": "b"}, headers=headers)
    assert (refused.status_code, refused.json()["code"]) == (401, "unauthenticated")
    assert "suspended" in refused.json()["detail"]
    for path in ("/api/v1/me", "/api/v1/markets/", "/api/v1/me/stream"):
        if not path.endswith("stream"):
            assert (await client.get(path, headers=headers)).status_code == 401
    assert await in_thread(Trade.objects.count) == 1
    await in_thread(lift, bob, alice)
    assert (await client.get("/api/v1/me", headers=headers)).status_code == 200


async def test_a_private_stream_of_a_suspended_person_ends(alice, bob):
    secret = await in_thread(key_for, bob)
    with serving("tests.support.impatient", LONGEST_STREAM="30") as server:
        address = f"{server.url}/api/v1/me/stream"
        async with listening(address, **bearer(secret)) as stream:
            await stream.next()
            await in_thread(suspend, bob, alice)
            with pytest.raises(EOFError):
                await stream.next(6)


def test_nobody_suspends_themselves_or_staff_without_being_a_superuser(alice, bob):
    clerk, boss = person("clerk", is_staff=True), person("boss", is_staff=True)
    for user, actor in ((clerk, clerk), (boss, clerk), (alice, clerk), (alice, alice)):
        with pytest.raises(Forbidden):
            suspend(user, actor)
        user.refresh_from_db()
        assert user.is_active
    suspend(boss, alice)
    suspend(bob, clerk)
    with pytest.raises(Forbidden):
        lift(boss, clerk)


def test_a_suspension_needs_a_reason_and_somebody_who_is_there_and_not_suspended(alice, bob):
    with pytest.raises(Invalid):
        suspend(bob, alice, reason=" ")
    with pytest.raises(Invalid, match="not suspended"):
        lift(bob, alice)
    with pytest.raises(NotFound):
        people.suspend_user(user_id=10**9, actor=alice, reason="x", now=NOW)
    suspend(bob, alice)
    with pytest.raises(Invalid, match="suspended already"):
        suspend(bob, alice)


def test_two_superusers_who_suspend_each_other_do_not_both_succeed(alice):
    anna = person("anna", is_staff=True, is_superuser=True)
    pairs = [(anna, alice), (alice, anna)]
    results = together(2, lambda n: refusal(lambda: suspend(*pairs[n])))
    assert results.count(Forbidden) == 1
    alice.refresh_from_db()
    anna.refresh_from_db()
    assert sorted([alice.is_active, anna.is_active]) == [False, True]


def test_many_who_suspend_one_person_at_once_do_it_once(alice, bob):
    results = together(4, lambda _: refusal(lambda: suspend(bob, alice)))
    assert results.count(Invalid) == 3
    assert LogEntry.objects.count() == 1


def test_a_suspension_holds_up_no_trade_and_a_trade_no_suspension(alice, bob, market):
    """Both hold their locks while the other one works."""
    trade(bob, market, order(yes_no(market)[0]))
    held, done = threading.Event(), threading.Event()

    def hold():
        with transaction.atomic():
            locks.lock_people(bob.pk, alice.pk)
            held.set()
            assert done.wait(10)
        connection.close()

    holder = threading.Thread(target=hold)
    holder.start()
    assert held.wait(10)
    try:
        trade(bob, market, order(yes_no(market)[0], shares=MICRO))
    finally:
        done.set()
        holder.join()
    assert Trade.objects.count() == 2


def test_a_key_is_issued_for_somebody_once_for_each_name(alice, bob):
    def issue(name="bot", **facts):
        return people.issue_key_for(
            user_id=bob.pk, actor=alice, now=NOW, name=name, scopes=["read", "trade"], **facts
        )

    results = together(4, lambda _: refusal(issue))
    assert results.count(Invalid) == 3
    (key, secret), *_ = [result for result in results if isinstance(result, tuple)]
    assert keys.recognise_key(secret=secret, now=NOW).user == bob
    entry = LogEntry.objects.get()
    assert (entry.user, entry.object_id) == (alice, str(bob.pk))
    assert str(key) in entry.get_change_message()
    assert secret not in entry.get_change_message()
    keys.revoke_key(user=bob, key_id=key.pk, now=NOW)
    issue(expires_at=LATER)
    assert "until 2034" in LogEntry.objects.latest("pk").get_change_message()


def test_a_key_of_staff_is_issued_by_superusers_only(alice, bob):
    clerk, boss = person("clerk", is_staff=True), person("boss", is_staff=True)

    def issue(user, actor, *scopes):
        return people.issue_key_for(
            user_id=user.pk, actor=actor, now=timezone.now(), name="bot", scopes=scopes
        )

    with pytest.raises(Forbidden):
        issue(boss, clerk, "read", "staff")
    with pytest.raises(Forbidden, match="Only staff"):
        issue(bob, alice, "read", "staff")
    assert not ApiKey.objects.exists()
    issue(boss, alice, "read", "staff")
    issue(clerk, clerk, "read")
    assert ApiKey.objects.count() == 2
