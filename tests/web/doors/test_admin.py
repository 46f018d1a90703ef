"""Every address and every action of the admin, asked by everybody."""

import html
import re

import pytest
from django.contrib.contenttypes.models import ContentType

from markets.infra.threads import in_thread
from tests.support.roles import ADMIN, NOBODY, ROLES, read, rows_of_models

ACTIONS = [row for row in rows_of_models() if row.door.startswith("ACTION")]
ADDRESSES = [row for row in ADMIN if row not in ACTIONS]

# what is chosen for each action, what is sent along, and what shows that the action was reached (and changed nothing)
REFUSALS = {
    "schedule": ("active", {}, "Cannot schedule a market that is active"),
    "open": ("active", {}, "Cannot open a market that is active"),
    "pause": ("draft", {}, "Cannot pause a market that is draft"),
    "close": ("draft", {}, "Cannot close a market that is draft"),
    "resolve": ("active", {"outcome": "neither"}, "It has no outcome 'neither'"),
    "unresolve": ("active", {}, "Cannot unresolve a market that is active"),
    "cancel": ("settled", {}, "Cannot cancel a market that is resolved"),
    "grant": (
        "account",
        {"amount": "0", "reason": "x", "request_key": "x"},
        "Give an amount of credits other than zero",
    ),
    "revoke": ("apikey", {}, "1 key(s) revoked."),  # again
    "delete_selected": (None, {}, "Are you sure"),
}
# where an answer of these doors is neither a page nor the login
MEANS = {
    ("GET /admin/login/", "sent to /admin/"): "allowed",  # who has signed in as staff already
    ("GET /admin/logout/", "not by this method"): "allowed",  # a GET signs nobody out
    ("GET /admin/logout/", "sent to /admin/"): "refused",
}


def path_of(row, place):
    address, _, what = row.door.partition(" · ")
    path = address.split(" ")[1]
    model = path.split("/")[3] if path.count("/") > 3 else ""
    if "<path:content_type_id>" in path:
        market = place.draft if what == "a draft" else place.active
        return f"/admin/r/{ContentType.objects.get_for_model(market).pk}/{market.pk}/"
    if "/autocomplete/" in path:
        app, model, field = what.split(".")
        return f"{path}?app_label={app}&model_name={model}&field_name={field}&term="
    path = path.replace("(?P<app_label>markets|auth)", what).replace("(?P<url>.*)", "nowhere")
    return re.sub("<path:object_id>|<id>", lambda _: str(place.rows[model].pk), path)


@pytest.mark.parametrize("row", ADDRESSES, ids=lambda row: row.door)
async def test_an_address_lets_in_whom_the_table_names(place, visit, row):
    path, method, found = await in_thread(path_of, row, place), row.door.split(" ")[0], {}
    for role in ROLES:
        answer = await visit(role, method, path)
        assert method == "GET" or answer.status_code in {200, 302, 403, 422}, answer.text
        saw = read(answer)
        found[role] = MEANS.get((row.bare(), saw), saw)
        assert method == "GET" or found[role] != "allowed" or answer.status_code in {200, 422}, (
            "an empty form was saved"
        )
    assert found == row.expected()


@pytest.mark.parametrize("row", ACTIONS, ids=lambda row: row.door)
async def test_an_action_is_offered_to_those_and_done_for_those_whom_the_table_names(
    place, visit, row
):
    _, path, action = row.door.split(" ")
    chosen, more, reached = REFUSALS[action]
    thing = (
        place.rows[path.split("/")[3]]
        if chosen is None
        else place.rows.get(chosen) or getattr(place, chosen)
    )
    found, offered = {}, {}
    for role in ROLES:
        sent = {"action": action, "_selected_action": thing.pk, **more}
        answer = await visit(role, "POST", path, data=sent, follow=True)
        text = html.unescape(answer.text)
        found[role] = "allowed" if answer.status_code == 200 and reached in text else "refused"
        page = await visit(role, "GET", path) if "Are you sure" in text else answer
        offered[role] = "allowed" if f'<option value="{action}"' in page.text else "refused"
    assert found == row.expected()
    assert offered == row.expected()


async def test_the_plain_staff_see_an_index_without_any_model(visit):
    page = await visit("plain", "GET", "/admin/")
    assert page.status_code == 200
    assert re.findall(r"/admin/(?:markets|auth)/[a-z]*/", page.text) == []
    assert "/admin/markets/market/" in (await visit("viewer", "GET", "/admin/")).text


@pytest.mark.parametrize(
    "row", [row for row in ADDRESSES if row.door.endswith("/delete/")], ids=lambda row: row.door
)
async def test_nothing_is_deleted_for_those_who_may_not(place, visit, row):
    """A confirmation that is sent without having been asked for."""
    model = place.rows[row.door.split("/")[3]]
    expected = row.expected()
    for role in ROLES:
        if expected[role] != "allowed":
            assert (
                read(await visit(role, "POST", path_of(row, place), data={"post": "yes"}))
                == "refused"
            )
    assert await in_thread(type(model).objects.filter(pk=model.pk).exists)
    assert row.allowed != NOBODY or expected["superuser"] == "refused"
