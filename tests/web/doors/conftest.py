"""One world for all the doors of a module: a person of each role, and one of everything that a door leads to."""

from __future__ import annotations

import random
import string
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from django.contrib.auth.models import Group, Permission
from django.test import Client, override_settings

from markets.domain.amounts import MICRO
from markets.models import (
    Account,
    ApiKey,
    AuditRun,
    Category,
    CategoryFollow,
    Event,
    Invitation,
    JournalEntry,
    Notification,
    Position,
    Resolution,
    Scope,
    Tag,
)
from markets.services import bulk, comments, invitations, keys
from markets.services.report_files import request_report
from tests.support.clock import LATER, NOW
from tests.support.database import emptied
from tests.support.factory import make_market, order, resolve, trade, yes_no
from tests.support.people import bearer, key_for, person
from tests.support.processes import Server

GROUPS = {
    "editor": "Market editors",
    "resolver": "Resolvers",
    "treasurer": "Treasurers",
    "auditor": "Auditors",
}


def made_people() -> dict[str, Any]:
    people = {name: person(name) for name in ("trader", "owner", "idle")}
    people["superuser"] = person("superuser", is_staff=True, is_superuser=True)
    for name in ("viewer", "plain", *GROUPS):
        people[name] = person(name, is_staff=True)
    for name, group in GROUPS.items():
        people[name].groups.add(Group.objects.get(name=group))
    views = Permission.objects.filter(
        content_type__app_label="markets", codename__startswith="view_"
    )
    people["viewer"].user_permissions.set(views)
    return people


def revoked_key(user: Any, *scopes: str) -> ApiKey:
    """To revoke it again changes nothing."""
    key, _ = keys.issue_key(user=user, now=NOW, name="old", scopes=scopes)
    keys.revoke_key(user=user, key_id=key.pk, now=NOW)
    return key


def revoked_invitation(user: Any) -> Invitation:
    """To revoke it again changes nothing."""
    invitations.make_invitations(actor=user, count=1, note="", expires_at=LATER, now=NOW)
    made = Invitation.objects.get()
    invitations.revoke_invitations(ids=[made.pk], now=NOW)
    return made


def made_things(people: dict[str, Any]) -> SimpleNamespace:
    owner = people["owner"]
    active = make_market("Will it rain?", category="Weather", tags=["Sky"])
    draft, settled = make_market("Is it a secret?", status="draft"), make_market("Did it snow?")
    bought, _ = trade(owner, active, order(yes_no(active)[0], shares=5 * MICRO))
    resolve(settled, yes=MICRO)
    comment, _ = comments.write(market_id=active.pk, author=owner, said="It will.", now=NOW)
    event = Event.objects.filter(market=active).earliest("pk")
    idle = Category.objects.create(name="Idle", slug="idle")
    owners, traders = revoked_key(owner, "read"), revoked_key(people["trader"], "read", "trade")
    report = request_report(actor=people["auditor"], now=NOW, kind="trades_export")
    job = bulk.propose(operation="close", market_ids=[draft.pk], actor=people["editor"], now=NOW)
    rows = {
        "comment": comment, "job": job, "market": draft, "category": idle, "tag": Tag.objects.create(name="Idle", slug="idle"), "event": event,
        "resolution": Resolution.objects.get(), "report": report, "account": Account.objects.get(user=owner),
        "journalentry": JournalEntry.objects.latest("pk"), "trade": bought, "position": Position.objects.get(),
        "auditrun": AuditRun.objects.create(at=NOW), "apikey": owners, "user": people["idle"],
        "invitation": revoked_invitation(people["superuser"]), "group": Group.objects.get(name="Auditors"),
        "categoryfollow": CategoryFollow.objects.create(user=owner, category=active.category),
        "notification": Notification.objects.create(user=owner, event=event, text="Rain", created_at=NOW),
    }  # fmt: skip
    return SimpleNamespace(
        active=active,
        draft=draft,
        settled=settled,
        comment=comment,
        report=report,
        owners=owners,
        traders=traders,
        rows=rows,
    )


def made_visitors(people: dict[str, Any]) -> dict[str, dict[str, str]]:
    """The headers of each role's requests: a session with its CSRF token, or a key."""

    def session(user: Any) -> dict[str, str]:
        client, token = Client(), "".join(random.choices(string.ascii_letters, k=32))
        client.force_login(user)
        return {
            "Cookie": f"sessionid={client.cookies['sessionid'].value}; csrftoken={token}",
            "X-CSRFToken": token,
        }

    found = {name: session(user) for name, user in people.items() if name != "idle"}
    found["anonymous"] = {}
    found["read-key"] = bearer(key_for(people["trader"], Scope.READ))
    found["trade-key"] = bearer(key_for(people["trader"], Scope.READ, Scope.TRADE))
    found["editor-key"] = bearer(key_for(people["editor"], *Scope.values))
    return found


@pytest.fixture(scope="module")
def place(django_db_setup: None, django_db_blocker: Any) -> Iterator[SimpleNamespace]:
    """`people`, the `headers` of each role, and the things."""
    with django_db_blocker.unblock(), emptied(), override_settings(API_RATE_LIMIT=100_000):
        people = made_people()
        things = made_things(people)
        yield SimpleNamespace(people=people, headers=made_visitors(people), **vars(things))


@pytest.fixture
def running(place: SimpleNamespace, _server: Server) -> Server:
    """Daphne, in front of this place."""
    return _server


@pytest.fixture
def visit(place: SimpleNamespace) -> Any:
    """A request as somebody of a role: `await visit(role, method, path, …)`.

    In the admin everybody has a CSRF token: it is the permission that must refuse them. `follow` goes where a form leads to, but
    not to the login.
    """
    from config.asgi import application

    transport = httpx.ASGITransport(app=application)

    async def ask(
        role: str, method: str, path: str, *, follow: bool = False, **more: Any
    ) -> httpx.Response:
        headers = place.headers[role]
        if path.startswith("/admin/") and "Cookie" not in headers:
            headers = {**headers, "Cookie": f"csrftoken={'x' * 32}", "X-CSRFToken": "x" * 32}
        cookies = dict(part.split("=", 1) for part in headers.get("Cookie", "").split("; ") if part)
        headers = {name: value for name, value in headers.items() if name != "Cookie"}
        async with httpx.AsyncClient(
            transport=transport,
            base_url="http://testserver",
            headers=headers,
            cookies=cookies,
            trust_env=False,
        ) as client:
            answer = await client.request(method, path, **more)
            if follow and answer.next_request and "/login/" not in answer.headers["Location"]:
                answer = await client.send(answer.next_request)
            return answer

    return ask
