"""Every address and every action of the admin, asked by everybody."""

import html
import re

import pytest
from django.contrib.contenttypes.models import ContentType

from markets.infra.threads import in_thread
from markets.models import Status
from markets.services import lifecycle
from tests.support.factory import make_market_that_is
from tests.support.roles import ADMIN, MODELS, NOBODY, ROLES, STEPS, read, rows_of_models

ACTIONS = [row for row in rows_of_models() if row.door.startswith("ACTION")]
ADDRESSES = [row for row in ADMIN if row not in ACTIONS]

# what is chosen for each action, what is sent along, and what shows that the action was reached (and changed nothing)
NONE_FITS = "None of the chosen markets can be changed this way."
A_FORM_FIRST = "Show what will happen"
REFUSALS = {
    "schedule": ("active", {}, NONE_FITS),
    "open": ("active", {}, NONE_FITS),
    "pause": ("draft", {}, NONE_FITS),
    "close": ("draft", {}, NONE_FITS),
    "move_closing": ("active", {}, A_FORM_FIRST),
    "set_category": ("active", {}, A_FORM_FIRST),
    "add_tags": ("active", {}, A_FORM_FIRST),
    "duplicate": ("active", {}, "1 market will be copied to a draft."),
    "cancel": ("active", {}, A_FORM_FIRST),
    "grant": (
        "account",
        {"amount": "0", "reason": "x", "request_key": "x"},
        "Give an amount of credits other than zero",
    ),
    "revoke": ("apikey", {}, "1 key(s) revoked."),  # again
    "withdraw": ("invitation", {}, "0 invitation(s) revoked."),  # again
    "delete_selected": (None, {}, "Are you sure"),
}
# where an answer of these doors is neither a page nor the login
MEANS = {
    ("GET /admin/login/", "sent to /admin/"): "allowed",  # who has signed in as staff already
    ("GET /admin/logout/", "sent to /admin/"): "refused",
    ("GET /admin/markets/report/<path:object_id>/retry/", "not by this method"): "allowed",
    ("POST /admin/markets/report/<path:object_id>/retry/", "sent to /admin/"): "allowed",
}
BUTTONS = {"POST /admin/markets/report/<path:object_id>/retry/"}  # of no form: a press is enough


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
        assert method == "GET" or answer.status_code in {200, 302, 403}, answer.text
        saw = read(answer)
        found[role] = MEANS.get((row.bare(), saw), saw)
        saved = method != "GET" and found[role] == "allowed" and answer.status_code != 200
        assert not saved or row.bare() in BUTTONS, "an empty form was saved"
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
        page = await visit(role, "GET", path)
        offered[role] = "allowed" if f'<option value="{action}"' in page.text else "refused"
    assert found == row.expected()
    assert offered == row.expected()


@pytest.mark.parametrize("status", [*Status])
async def test_a_markets_page_has_a_button_for_each_legal_move_of_those_whom_the_table_names(
    place, visit, status
):
    market = await in_thread(make_market_that_is, status)
    address = f"/admin/markets/market/{market.pk}/"
    for role in ROLES:
        page = await visit(role, "GET", f"{address}change/")
        offered = {move for move in lifecycle.MOVES if f'href="{address}{move}/"' in page.text}
        legal = {move for move, its in lifecycle.MOVES.items() if status in its.starts}
        named = {move for move, who in STEPS["markets.market"].items() if role in who.split()}
        sees = role in MODELS["markets.market"][0].split() and role != "editor-key"
        assert offered == (legal & named if sees else set()), role


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
