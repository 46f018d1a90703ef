"""The page of one's API keys."""

import re
from datetime import timedelta
from threading import Barrier, Thread

import pytest
from django.utils import timezone

from markets.domain.errors import AlreadyDone, TooManyKeys
from markets.domain.limits import MOST_KEYS
from markets.infra.threads import in_thread
from markets.models import ApiKey
from markets.services import keys
from tests.support.clock import NOW
from tests.support.people import bearer, key_for, sign_in
from tests.support.problems import check_problem


@pytest.fixture
async def own(client, bob):
    await sign_in(client, "bob")
    return client


async def form(own):
    page = (await own.get("/settings/keys")).text
    return {
        name: re.search(rf'name="{name}" value="([^"]+)"', page)[1]
        for name in ("csrfmiddlewaretoken", "once")
    }


async def make(own, **fields):
    sent = {**await form(own), "name": "My bot", "scopes": ["read"], "life": "90", **fields}
    return await own.post("/settings/keys", data=sent), sent


def secret_in(answer):
    return re.search(r"bw_[0-9a-f]{8}_[A-Za-z0-9_-]{43}", answer.text)


async def test_a_key_is_shown_once_and_sending_the_form_again_makes_no_second(own):
    made, sent = await make(own, scopes=["read", "trade"])
    assert "no-store" in made.headers["Cache-Control"]
    secret = secret_in(made)[0]
    again = await own.post("/settings/keys", data=sent)
    assert again.headers["Location"] == "/settings/keys"
    listed = await own.get("/settings/keys")
    assert "made and shown before" in listed.text
    assert secret not in listed.text
    assert secret[:11] in listed.text
    key = await in_thread(ApiKey.objects.get)
    assert key.scopes == ["read", "trade"]
    assert abs(key.expires_at - timezone.now() - timedelta(days=90)) < timedelta(minutes=1)
    own.cookies.clear()
    assert (await own.get("/api/v1/me", headers=bearer(secret))).status_code == 200


async def test_a_key_can_live_for_ever(own):
    await make(own, life="")
    assert "does not expire" in (await own.get("/settings/keys")).text


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"name": " "}, "must not be empty"),
        ({"scopes": []}, "Choose one or more"),
        ({"scopes": ["read", "root"]}, "Choose one or more"),
        ({"scopes": ["staff"]}, "Only staff"),
        ({"life": "9999999999"}, "Choose when"),
    ],
    ids=str,
)
async def test_a_wrong_form_comes_back_with_what_was_typed(own, fields, sentence):
    answer, sent = await make(own, **fields)
    assert answer.status_code == 422
    assert sentence in answer.text
    assert f'value="{sent["name"]}"' in answer.text
    assert await in_thread(ApiKey.objects.count) == 0


async def test_only_staff_are_offered_the_scope_of_staff(own, alice):
    assert 'value="staff"' not in (await own.get("/settings/keys")).text
    own.cookies.clear()
    await sign_in(own, "alice")
    assert 'value="staff"' in (await own.get("/settings/keys")).text


async def test_a_revoked_key_is_refused_at_once(own, bob):
    secret = await in_thread(key_for, bob)
    key = await in_thread(ApiKey.objects.get)
    token = (await form(own))["csrfmiddlewaretoken"]
    answer = await own.post(
        f"/settings/keys/{key.pk}/revoke",
        data={"csrfmiddlewaretoken": token},
        follow_redirects=True,
    )
    assert "The key is revoked" in answer.text
    own.cookies.clear()
    assert (await own.get("/api/v1/me", headers=bearer(secret))).status_code == 401


async def test_nobody_revokes_the_key_of_another(own, alice):
    await in_thread(key_for, alice)
    key = await in_thread(ApiKey.objects.get)
    token = (await form(own))["csrfmiddlewaretoken"]
    answer = await own.post(f"/settings/keys/{key.pk}/revoke", data={"csrfmiddlewaretoken": token})
    assert answer.status_code == 404
    assert (await in_thread(ApiKey.objects.get)).revoked_at is None
    assert key.name not in re.sub(r"<head.*?</head>", "", (await own.get("/settings/keys")).text)


async def test_nobody_has_more_than_twenty_keys_that_work(own, bob):
    def nearly():
        for _ in range(MOST_KEYS):
            key_for(bob)
        ApiKey.objects.filter(pk=ApiKey.objects.earliest("pk").pk).update(expires_at=NOW)

    await in_thread(nearly)
    assert secret_in((await make(own))[0]), "an expired key does not count"
    refused, _ = await make(own, name="One more")
    assert refused.status_code == 422
    assert "20 keys that work" in refused.text
    assert 'value="One more"' in refused.text
    token = {"X-CSRFToken": own.cookies["csrftoken"]}
    by_api = await own.post("/api/v1/me/keys/", json={"name": "x"}, headers=token)
    check_problem(by_api, 409, "too_many_keys")


def test_two_at_once_do_not_pass_the_limit_and_one_form_makes_one_key(bob):
    for _ in range(MOST_KEYS - 1):
        key_for(bob)
    barrier, said = Barrier(2), []

    def race(**facts):
        from django.db import connection

        barrier.wait()
        try:
            keys.issue_key(user=bob, now=NOW, name="x", scopes=["read"], **facts)
            said.append(None)
        except (TooManyKeys, AlreadyDone) as refusal:
            said.append(type(refusal))
        finally:
            connection.close()

    def both(**facts):
        said.clear()
        threads = [Thread(target=race, kwargs=facts) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return set(said)

    assert both() == {None, TooManyKeys}
    ApiKey.objects.all().delete()
    assert both(request_key="form") == {None, AlreadyDone}
    assert ApiKey.objects.count() == 1


async def test_the_settings_lead_to_the_keys(own):
    assert 'href="/settings/keys"' in (await own.get("/settings")).text
