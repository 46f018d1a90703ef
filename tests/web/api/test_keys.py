"""Keys and sessions: who may call."""

import asyncio
from datetime import timedelta

from django.conf import settings
from django.utils import timezone

from markets.infra.threads import in_thread
from markets.models import ApiKey
from markets.services import keys
from tests.support.clock import NOW
from tests.support.people import bearer, key_for, sign_in
from tests.support.problems import check_problem


async def test_a_key_is_shown_once_and_stored_as_a_hash(staff):
    made = await staff.post("/api/v1/me/keys/", json={"name": "bot", "scopes": ["read", "trade"]})
    assert made.status_code == 201
    secret = made.json()["key"]
    stored = await in_thread(lambda: ApiKey.objects.get(pk=made.json()["id"]))
    assert secret.encode() not in bytes(stored.digest)
    listed = (await staff.get("/api/v1/me/keys/")).json()["items"]
    assert listed[0]["prefix"] == secret[:11]
    assert secret not in str(listed)
    assert (await staff.get("/api/v1/me/keys/", headers=bearer(secret))).status_code == 200


async def test_a_revoked_key_ends_at_once(staff, alice):
    secret = await in_thread(key_for, alice, "read")
    key = (await staff.get("/api/v1/me/keys/")).json()["items"][0]
    assert (await staff.get("/api/v1/me/keys/", headers=bearer(secret))).status_code == 200
    assert (await staff.delete(f"/api/v1/me/keys/{key['id']}")).status_code == 204
    assert (await staff.get("/api/v1/me/keys/", headers=bearer(secret))).status_code == 401


async def test_an_expired_key_does_not_work(client, alice):
    soon = timezone.now() + timedelta(seconds=0.7)
    _, secret = await in_thread(
        keys.issue_key,
        user=alice,
        now=NOW - timedelta(days=9000),
        name="x",
        scopes=["read"],
        expires_at=soon,
    )
    assert (await client.get("/api/v1/me/keys/", headers=bearer(secret))).status_code == 200
    await asyncio.sleep((soon - timezone.now()).total_seconds())
    assert (await client.get("/api/v1/me/keys/", headers=bearer(secret))).status_code == 401


async def test_the_last_use_of_a_key_is_kept(client, alice):
    secret = await in_thread(key_for, alice, "read")
    await client.get("/api/v1/me/keys/", headers=bearer(secret))
    assert await in_thread(lambda: ApiKey.objects.get().last_used_at)


async def test_nobody_makes_or_ends_keys_of_others_or_beyond_their_own_power(client, alice, bob):
    weak = bearer(await in_thread(key_for, bob, "read"))
    beyond = await client.post(
        "/api/v1/me/keys/", json={"name": "x", "scopes": ["trade"]}, headers=weak
    )
    assert beyond.status_code == 403
    key, _ = await in_thread(keys.issue_key, user=alice, now=NOW, name="x", scopes=["read"])
    assert (await client.delete(f"/api/v1/me/keys/{key.pk}", headers=weak)).status_code == 404


async def test_a_weak_key_neither_ends_a_stronger_one_nor_outlives_itself(client, alice):
    strong, _ = await in_thread(
        keys.issue_key, user=alice, now=NOW, name="x", scopes=["staff", "read"]
    )
    soon = timezone.now() + timedelta(minutes=5)
    facts = {"user": alice, "now": NOW, "name": "weak", "scopes": ["read"], "expires_at": soon}
    weak, secret = await in_thread(lambda: keys.issue_key(**facts))
    assert (
        await client.delete(f"/api/v1/me/keys/{strong.pk}", headers=bearer(secret))
    ).status_code == 403
    for expires_at in (None, (soon + timedelta(seconds=1)).isoformat()):
        child = {"name": "child", "scopes": ["read"], "expires_at": expires_at}
        assert (
            await client.post("/api/v1/me/keys/", json=child, headers=bearer(secret))
        ).status_code == 403
    assert (
        await client.delete(f"/api/v1/me/keys/{weak.pk}", headers=bearer(secret))
    ).status_code == 204


async def test_a_deactivated_user_has_no_working_key(client, bob):
    secret = await in_thread(key_for, bob, "read")
    bob.is_active = False
    await in_thread(bob.save)
    assert (await client.get("/api/v1/me/keys/", headers=bearer(secret))).status_code == 401


async def test_a_session_works_with_the_csrf_token_and_not_without(client, alice):
    await sign_in(client, "alice")
    assert (await client.get("/api/v1/me/keys/")).status_code == 200
    forged = await client.post("/api/v1/markets/", json={"name": "Rain?"})
    assert (forged.status_code, forged.json()["code"]) == (403, "forbidden")
    token = client.cookies[settings.CSRF_COOKIE_NAME]
    sent = await client.post(
        "/api/v1/markets/", json={"name": "Rain?"}, headers={"X-CSRFToken": token}
    )
    assert sent.status_code == 201


async def test_calls_with_a_key_are_counted_and_too_many_refused(client, alice, settings):
    settings.API_RATE_LIMIT = 3
    headers = bearer(await in_thread(key_for, alice, "read"))
    answers = [await client.get("/api/v1/me/keys/", headers=headers) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert [answer.headers.get("RateLimit-Remaining") for answer in answers] == ["2", "1", "0", "0"]
    assert answers[3].json()["code"] == "rate_limited"
    assert 0 < int(answers[3].headers["Retry-After"]) <= 60


async def test_every_public_read_counts_a_key_and_refuses_a_wrong_one(client, market, bob):
    key = await in_thread(key_for, bob)
    outcome = await in_thread(lambda: market.outcomes.first().pk)
    one = f"/api/v1/markets/{market.pk}"
    reads = [
        "/api/v1/markets/",
        "/api/v1/categories/",
        "/api/v1/tags/",
        one,
        f"{one}/events",
        f"{one}/trades",
        f"{one}/history",
    ]
    reads.append(f"{one}/candlesticks?outcome_id={outcome}&start_ts=0&end_ts=9")
    for address in reads:
        answer = await client.get(address, headers=bearer(key))
        assert answer.status_code == 200, address
        assert "RateLimit-Remaining" in answer.headers, address
        check_problem(await client.get(address, headers=bearer("bw_wrong")), 401, "unauthenticated")
        assert (await client.get(address)).status_code == 200
    order = {"outcome_id": outcome, "side": "buy", "shares": "1"}
    assert (
        "RateLimit-Remaining"
        in (await client.post(f"{one}/quote", json=order, headers=bearer(key))).headers
    )
    check_problem(
        await client.post(f"{one}/quote", json=order, headers=bearer("bw_wrong")),
        401,
        "unauthenticated",
    )
