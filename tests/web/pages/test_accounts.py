"""Accounts as the server sees them: everything that people get wrong, without JavaScript."""

import asyncio
import gzip
import re
from datetime import timedelta
from urllib.parse import quote, urlsplit

import httpx
import pytest
from django.conf import settings
from django.contrib.auth import get_user_model
from django.core import mail
from django.core.exceptions import ImproperlyConfigured
from django.test import Client, override_settings
from django.utils import timezone

from config import env, logs
from markets.infra.threads import in_thread
from markets.models import Invitation
from markets.services import invitations
from markets.services.people import suspend_user
from tests.support.clock import NOW
from tests.support.forms import words
from tests.support.people import PASSWORD, person, sign_in

User = get_user_model()
NEW = "a long enough secret"
MARKET = "/markets/will-it-rain?outcome=1&side=buy&amount=25"


@pytest.fixture
def stranger(client):
    """A second browser, on the same application."""
    return httpx.AsyncClient(transport=client._transport, base_url=client.base_url)


async def send(client, address, **answers):
    """Fill in the first form of the page, as it comes, and send it."""
    page = await client.get(address)
    assert page.status_code == 200, page.text
    form = page.text.split("<main", 1)[1].split("<form", 1)[1].split("</form>", 1)[0]
    hidden = dict(re.findall(r'<input type="hidden" name="(\w+)"(?: value="([^"]*)")?', form))
    hidden = {name: value.replace("&amp;", "&") for name, value in hidden.items()}
    to = re.search(r'^[^>]*action="([^"]*)"', form)
    return await client.post(to[1] if to else address, data={**hidden, **answers})


async def join(client, name, query="", **more):
    return await send(
        client, f"/account/signup/{query}", username=name, password1=NEW, **{"email": "", **more}
    )


def count_people():
    return User.objects.count()


def made(days=1, now=None):
    """The code of a new invitation."""
    now = now or timezone.now()
    actor = User.objects.filter(is_staff=True).first()
    return invitations.make_invitations(
        actor=actor, count=1, note="For tests", expires_at=now + timedelta(days=days), now=now
    )[0]


# --- Signing up ---


async def test_who_signs_up_is_signed_in_and_comes_back_with_the_order(client, market):
    page = await client.get(f"/account/signup/?next={quote(MARKET)}")
    assert "You begin with 1,000 credits of play money." in page.text
    assert "Then you come back to your trade." in page.text
    answer = await join(client, "anna", f"?next={quote(MARKET)}")
    assert (answer.status_code, answer.headers["Location"]) == (302, MARKET)
    assert (await client.get("/settings")).status_code == 200


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("Al1ce", "looks like that of a member of staff"),
        ("аdmin", "sounds as if you spoke for this site"),
        ("BOB", "Somebody has this name already"),
        ("ｂｏｂ", "Somebody has this name already"),
        ("anna smith", "How about anna_smith?"),
        ("x" * 31, "30"),
        ("", "required"),
    ],
)
async def test_a_name_that_cannot_be_had_is_refused_beside_its_field(
    client, alice, bob, name, says
):
    answer = await join(client, name, email="anna@example.org")
    said = re.search(r'id="id_username_error">(.*?)</div>', answer.text, re.DOTALL)
    assert says in said[1]
    field = re.search(r'<input[^>]*name="username"[^>]*>', answer.text)[0]
    assert "autofocus" in field
    assert 'aria-describedby="id_username_error' in field
    assert 'value="anna@example.org"' in answer.text, "nothing that was typed is lost"
    assert NEW not in answer.text
    assert await in_thread(count_people) == 2


async def test_two_who_take_a_name_at_the_same_time_do_not_both_get_it(client, stranger, world):
    answers = await asyncio.gather(join(client, "Anna"), join(stranger, "anna"))
    assert sorted(answer.status_code for answer in answers) == [200, 302]
    assert await in_thread(count_people) == 1


@override_settings(SIGN_UP="closed")
async def test_nobody_joins_a_site_that_is_closed(client, world):
    page = await client.get("/account/signup/")
    assert "Nobody can join at present" in page.text
    token = re.search(r'csrfmiddlewaretoken" value="(\w+)"', (await client.get("/account/login/")).text)[1]  # fmt: skip
    data = {"username": "anna", "password1": NEW, "csrfmiddlewaretoken": token}
    await client.post("/account/signup/", data=data)
    assert await in_thread(count_people) == 0
    assert "Join" not in (await client.get("/account/login/")).text.split("<main")[1]


@override_settings(SIGN_UP="invitation")
async def test_an_invitation_lets_one_person_in_once(client, stranger, alice):
    assert "You need an invitation" in (await client.get("/account/signup/")).text
    code = await in_thread(made)
    assert (await join(client, "anna", f"?invitation={code}")).status_code == 302
    invitation = await in_thread(Invitation.objects.select_related("used_by").get)
    assert invitation.used_by.get_username() == "anna"
    page = await stranger.get(f"/account/signup/?invitation={code}")
    assert "This invitation was used already" in page.text


@override_settings(SIGN_UP="invitation")
async def test_two_with_one_invitation_at_the_same_time_do_not_both_come_in(
    client, stranger, alice
):
    query = f"?invitation={await in_thread(made)}"
    answers = await asyncio.gather(join(client, "anna", query), join(stranger, "ben", query))
    assert sorted(answer.status_code for answer in answers) == [200, 302]
    refused = next(answer for answer in answers if answer.status_code == 200)
    assert "This invitation was used already" in refused.text
    assert await in_thread(count_people) == 2, "nobody is made without an invitation"


@override_settings(SIGN_UP="invitation")
async def test_an_invitation_that_is_no_longer_good_says_why(client, alice):
    expired = await in_thread(made, 1, NOW)
    revoked = await in_thread(made)
    ids = await in_thread(lambda: list(Invitation.objects.values_list("pk", flat=True)))
    assert await in_thread(invitations.revoke_invitations, ids=ids, now=timezone.now()) == 1
    for code, says in (
        (expired, "This invitation has expired."),
        (revoked, "This invitation was withdrawn."),
        ("x" * 300, "Nobody knows this invitation"),
        ("%F0%9F%98%80", "Nobody knows this invitation"),
    ):
        assert says in (await client.get(f"/account/signup/?invitation={code}")).text


def test_a_wrong_word_for_sign_up_stops_the_start_with_a_sentence(monkeypatch):
    monkeypatch.setenv("SIGN_UP", "opne")
    with pytest.raises(ImproperlyConfigured, match="'opne' is not one of open, invitation, closed"):
        env.choice("SIGN_UP", ("open", "invitation", "closed"))


def test_staff_make_invitations_whose_links_are_shown_once(alice):
    browser = Client()
    browser.force_login(alice)
    answer = browser.post(
        "/admin/markets/invitation/invite/", {"count": "2", "note": "Friends", "days": "7"}
    )
    links = re.findall(r"http://testserver/account/signup/\?invitation=\S{22}", words(answer))
    assert len(set(links)) == Invitation.objects.count() == 2
    assert "Friends" in words(browser.get("/admin/markets/invitation/"))
    for invitation in Invitation.objects.all():
        assert bytes(invitation.digest).hex() not in words(answer)
    over = browser.post("/admin/markets/invitation/invite/", {"count": "101", "days": "7"})
    assert "less than or equal to 100" in words(over)


# --- Signing in ---


@pytest.mark.parametrize("onward", [
    "https://evil.example/", "//evil.example/", "/\\evil.example", "https:evil.example", "javascript:alert(1)", "http://localhost/",
    "http://testserver@evil.example/", "\t//evil.example", "///evil.example", "evil", "",
])  # fmt: skip
async def test_nobody_is_sent_to_another_site(client, stranger, bob, onward):
    for address in ("/account/login/", "/account/signup/"):
        answers = {"login": "bob", "password": PASSWORD}
        if "signup" in address:
            answers = {"username": "anna", "password1": NEW}
        browser = client if "login" in address else stranger
        answer = await send(browser, f"{address}?next={quote(onward)}", **answers)
        assert (answer.status_code, answer.headers["Location"]) == (302, "/")
        again = await browser.get(f"{address}?next={quote(onward)}")  # signed in already
        assert again.headers["Location"] == "/"


async def test_the_admins_door_leads_through_the_sign_in_page_and_on(client, alice, bob):
    door = await client.get("/admin/markets/market/?q=rain")
    page = await client.get(door.headers["Location"])
    assert page.headers["Location"] == "/account/login/?next=/admin/markets/market/%3Fq%3Drain"
    answer = await send(
        client, page.headers["Location"], login="alice@example.org", password=PASSWORD
    )
    assert answer.headers["Location"] == "/admin/markets/market/?q=rain"
    out = await client.get("/admin/password_change/")
    assert out.headers["Location"] == "/account/password/change/"
    assert "Sign out?" in (await client.get("/admin/logout/")).text
    evil = await client.get("/admin/login/?next=//evil.example/")
    assert evil.headers["Location"] == "/admin/"


async def test_who_is_not_staff_reads_so_at_the_admins_door(client, bob):
    await sign_in(client, "bob")
    page = await client.get("/admin/login/?next=/admin/")
    assert page.status_code == 403
    assert "You are signed in as bob, who is not staff of this site." in words(page)


async def test_a_suspended_person_reads_so_when_the_password_is_right_only(client, alice, bob):
    await in_thread(suspend_user, user_id=bob.pk, actor=alice, reason="Spam", now=NOW)
    wrong = await send(client, "/account/login/", login="bob", password="wrong")
    assert "do not belong together" in wrong.text
    right = await send(client, "/account/login/", login="bob", password=PASSWORD)
    page = await client.get(right.headers["Location"])
    assert "Your account is suspended" in page.text
    assert settings.CONTACT_EMAIL in page.text
    assert (await client.get("/settings")).status_code == 302, "and is not signed in"


async def test_who_guesses_passwords_must_wait_and_reads_for_how_long(client, bob):
    for _ in range(5):
        await send(client, "/account/login/", login="bob", password="wrong")
    page = await send(client, "/account/login/", login="bob", password=PASSWORD)
    assert page.status_code == 200
    assert "Wait five minutes" in page.text
    assert 'value="bob"' in page.text


async def knock(client, times, **headers):
    """Ask for sign-ups that nobody counts as wrong, until there are too many of them."""
    page = (await client.get("/account/signup/")).text
    token = re.search(r'csrfmiddlewaretoken" value="(\w+)"', page)[1]
    answers = [
        await client.post("/account/signup/", data={"csrfmiddlewaretoken": token}, headers=headers)
        for _ in range(times)
    ]
    return [answer.status_code for answer in answers], answers[-1]


async def test_too_many_attempts_are_a_page_that_says_when_to_try_again(client, world):
    statuses, page = await knock(client, 21)
    assert statuses == [200] * 20 + [429]
    assert page.headers["Retry-After"] == "60"
    assert "Wait a minute" in page.text
    assert 'class="brand"' in page.text, "in our clothes"


async def test_an_invented_address_is_not_believed_unless_there_is_a_proxy(client, world):
    await knock(client, 20, **{"X-Forwarded-For": "203.0.113.1"})
    statuses, _ = await knock(client, 1, **{"X-Forwarded-For": "203.0.113.2"})
    assert statuses == [429]
    with override_settings(ALLAUTH_TRUSTED_PROXY_COUNT=1):
        statuses, _ = await knock(client, 20, **{"X-Forwarded-For": "6.6.6.6, 203.0.113.3"})
        assert statuses == [200] * 20
        statuses, _ = await knock(client, 1, **{"X-Forwarded-For": "7.7.7.7, 203.0.113.3"})
        assert statuses == [429], "only what the proxy itself adds is believed"


async def test_without_redis_nobody_can_guess_passwords(client, bob):
    page = await client.get("/account/login/")
    token = re.search(r'csrfmiddlewaretoken" value="(\w+)"', page.text)[1]
    away = {"BACKEND": "django_redis.cache.RedisCache", "LOCATION": "redis://127.0.0.1:1/0"}
    data = {"login": "bob", "password": PASSWORD, "csrfmiddlewaretoken": token}
    with override_settings(CACHES={"default": away}):
        answer = await client.post("/account/login/", data=data)
    assert answer.status_code == 503
    assert "Retry-After" in answer.headers


# --- The password ---


def link_of(message):
    return urlsplit(re.search(r"http://testserver(/\S+)", message.body)[0]).path


async def test_a_reset_link_works_once(client, bob):
    answer = await send(client, "/account/password/reset/", email="bob@example.org")
    assert "Look into your mail" in (await client.get(answer.headers["Location"])).text
    assert mail.outbox[0].subject.startswith("Bellwether: ")
    link = link_of(mail.outbox[0])
    form = (await client.get(link)).headers["Location"]
    short = await send(client, form, password1="short", password2="short")
    assert "id_password1_error" in short.text
    done = await send(client, form, password1=NEW, password2=NEW)
    assert "Your password is changed" in (await client.get(done.headers["Location"])).text
    again = await client.get(link)
    assert "This link works no more" in again.text
    assert 'href="/account/password/reset/"' in again.text
    assert (await send(client, "/account/login/", login="bob", password=NEW)).status_code == 302


async def test_a_reset_link_used_late_says_so_and_offers_a_new_one(client, bob):
    await send(client, "/account/password/reset/", email="bob@example.org")
    await asyncio.sleep(1.1)
    with override_settings(PASSWORD_RESET_TIMEOUT=0):
        page = await client.get(link_of(mail.outbox[0]))
    assert "too old" in page.text
    assert "Send me a new link" in page.text


async def test_nobody_learns_from_a_reset_who_has_an_account(client, stranger, bob):
    known = await send(client, "/account/password/reset/", email="bob@example.org")
    unknown = await send(stranger, "/account/password/reset/", email="eve@example.org")
    assert known.headers["Location"] == unknown.headers["Location"]
    pages = [await c.get(known.headers["Location"]) for c in (client, stranger)]
    assert words(pages[0]) == words(pages[1])
    assert [message.to for message in mail.outbox] == [["bob@example.org"], ["eve@example.org"]]


# --- Settings ---


async def test_a_name_is_changed_with_the_same_checks_as_at_sign_up(client, alice, bob):
    await sign_in(client, "bob")
    for name, says in (("Al1ce", "member of staff"), ("a b", "How about a_b?"), ("", "Choose")):
        refused = await send(client, "/settings", username=name)
        assert refused.status_code == 422
        assert says in refused.text
        assert f'value="{name}"' in refused.text
    answer = await send(client, "/settings", username="Robert")
    assert "You are called Robert now." in (await client.get(answer.headers["Location"])).text
    assert (await send(client, "/settings", username="robert")).status_code == 302, (
        "one's own name in other letters"
    )


async def test_staff_keep_a_name_that_sounds_official(client, world):
    await in_thread(person, "admin", is_staff=True)
    await sign_in(client, "admin")
    assert (await send(client, "/settings", username="Admin")).status_code == 302


async def test_an_address_is_verified_by_a_link_in_a_mail(client, bob):
    await sign_in(client, "bob")
    page = await client.get("/account/email/")
    token = re.search(r'csrfmiddlewaretoken" value="(\w+)"', page.text)[1]
    data = {"email": "rob@example.org", "action_add": "", "csrfmiddlewaretoken": token}
    await client.post("/account/email/", data=data)
    link = link_of(mail.outbox[-1])
    assert (await send(client, link)).status_code == 302
    assert "Verified" in (await client.get("/account/email/")).text
    assert "expired or is invalid" in (await client.get("/account/confirm-email/x:y:z/")).text


@override_settings(STAFF_SECOND_FACTOR=True)
async def test_staff_without_a_second_factor_are_led_to_one_with_the_reason(client, alice):
    await sign_in(client, "alice")
    door = await client.get("/admin/markets/market/")
    setup = await client.get(door.headers["Location"])
    assert setup.headers["Location"] == "/account/2fa/"
    assert "Staff of this site need a second factor" in (await client.get("/account/2fa/")).text


# --- Pages ---


async def test_a_form_without_its_token_says_what_to_do_next(client, world):
    answer = await client.post("/account/login/", data={"login": "bob", "password": "x"})
    assert answer.status_code == 403
    assert "Go back, reload the page, and send it again." in answer.text
    assert 'class="brand"' in answer.text


PATHS = [
    "/account/login/?next=/", "/account/signup/", "/account/password/reset/", "/settings", "/account/email/",
    "/account/password/change/", "/account/2fa/", "/account/2fa/webauthn/", "/account/2fa/webauthn/add/", "/account/logout/",
    "/account/2fa/totp/activate/", "/account/reauthenticate/",
]  # fmt: skip


async def test_every_page_is_light_and_has_nothing_inline(client, stranger, bob):
    await sign_in(client, "bob")
    await send(client, "/account/reauthenticate/", password=PASSWORD)
    for path in PATHS:
        page = await client.get(path)
        page = await stranger.get(path) if page.status_code == 302 else page
        assert page.status_code == 200, (path, page.headers)
        policy = page.headers["Content-Security-Policy"]
        assert "unsafe" not in policy
        assert not re.search(r"<style|\sstyle=|\son\w+=", page.text), path
        for script in re.findall(r"<script[^>]*>", page.text):
            assert " src=" in script or "application/json" in script
        weight = len(gzip.compress(page.content))
        for file in set(re.findall(r'(?:src|href)="(/static/[^"]+)"', page.text)):
            weight += len(gzip.compress((await client.get(file)).content))
        assert weight < 20_000, (path, weight)


@override_settings(STAFF_SECOND_FACTOR=True)
async def test_staff_without_a_second_factor_do_no_work_of_staff_through_the_api(
    client, alice, market
):
    await sign_in(client, "alice")
    address, token = f"/api/v1/markets/{market.pk}/pause", client.cookies["csrftoken"]
    answer = await client.post(address, json={}, headers={"X-CSRFToken": token})
    assert answer.status_code == 403
    assert "the scope 'staff'" in answer.json()["detail"]
    assert (await client.get("/api/v1/me")).status_code == 200


@pytest.mark.parametrize(
    "path", ["/account/password/reset/key/1-secret/", "/account/confirm-email/secret/", "?invitation=secret&next=/"]
)  # fmt: skip
def test_links_that_open_an_account_stay_out_of_the_logs(path):
    assert "secret" not in logs.redact(None, "", {"path": path})["path"]
