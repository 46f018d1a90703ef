"""Every operation of the API, and the pages, asked by everybody."""

import pytest

from markets.infra.threads import in_thread
from tests.support.roles import ACCOUNTS, API, PAGES, ROLES, read

LONG_AGO = "2020-01-01T00:00:00Z"
SETTLED = {
    "schedule",
    "open",
    "pause",
    "close",
    "resolve",
    "cancel",
}  # verbs that a settled market refuses


def market_for(door, place):
    if " · " in door and door.endswith("a draft"):
        return place.draft
    return place.settled if door.split(" · ")[0].rsplit("/", 1)[1] in SETTLED else place.active


def request_for(door, place):
    """A request that passes the door and changes nothing, however often it is sent."""
    market, (address, _, what) = market_for(door, place), door.partition(" · ")
    method, path = address.split(" ", 1)
    key = place.owners if "owner" in what else place.traders
    ids = {
        "{int:market_id}": market.pk,
        "<slug:slug>": market.slug,
        "{int:key_id}": key.pk,
        "<int:key_id>": key.pk,
        "{int:report_id}": place.report.pk,
        "<int:comment_id>": place.comment.pk,
        "{int:comment_id}": place.comment.pk,
        "<int:pk>": 1,
        r"(?P<key>[-:\w]+)": "x",
        "(?P<uidb36>[0-9A-Za-z]+)-(?P<key>.+)": "1-x",
    }
    for name, value in ids.items():
        path = path.replace(name, str(value))
    outcome = market.outcomes.first().pk
    order = {"outcome_id": outcome, "side": "buy", "shares": "1"}
    asked = {"json": {}} if method in {"POST", "PATCH"} else {}
    if path.endswith("/candlesticks"):
        asked = {"params": {"outcome_id": outcome, "start_ts": 0, "end_ts": 3600}}
    elif path.endswith("/comments") and what == "a draft":
        asked = {"json": {"text": "Why?"}} if method == "POST" else {}
    elif method == "PATCH" and "/comments/" in path:
        asked = {"json": {"text": place.comment.text}}
    elif path.endswith("/quote"):
        asked = {"json": order}
    elif path.endswith("/import"):
        asked = {"json": [], "params": {"dry_run": "true"}}
    elif method == "POST" and path.endswith("/trades") and what:
        asked = {"json": {**order, "client_order_id": "x"}}
    elif what == "only drafts":
        asked = {"params": {"status": "draft"}}
    elif what == "that may trade":
        asked = {
            "json": {"name": "\u200b", "scopes": ["trade"]}
        }  # no name at all, as the service sees it
    elif what == "of the scope staff":
        asked = {"json": {"name": "x", "scopes": ["staff"], "expires_at": LONG_AGO}}
    elif what == "that is open at once":
        asked = {"json": {"name": "\u200b", "status": "active"}}
    elif what == "only to see what it would pay":
        asked = {"json": {"dry_run": True, "outcome_id": outcome}}
    return method, path, asked


@pytest.mark.parametrize("row", [*API, *PAGES, *ACCOUNTS], ids=lambda row: row.door)
async def test_an_address_lets_in_whom_the_table_names(place, visit, row):
    method, path, asked = await in_thread(request_for, row.door, place)
    found = {}
    for role in ROLES:
        answer = await visit(role, method, path, **asked)
        assert answer.status_code not in {201, 202}, "the question changed something"
        found[role] = (
            "allowed"
            if row.door == "GET /admin" and read(answer) == "sent to /admin/"
            else read(answer)
        )
    assert found == row.expected()


@pytest.mark.parametrize(
    ("path", "count"),
    [("trades", 1), ("positions", 1), ("ledger", 2), ("keys/", 1)],
    ids=lambda value: str(value),
)
async def test_what_is_somebodys_own_is_shown_to_them_alone(place, visit, path, count):
    own = (await visit("owner", "GET", f"/api/v1/me/{path}")).json()["items"]
    assert len(own) == count
    ids = {row.get("id") for row in own}
    for role in ROLES[: ROLES.index("anonymous")]:
        if role != "owner":
            items = (await visit(role, "GET", f"/api/v1/me/{path}")).json()["items"]
            assert not ids & {row.get("id") for row in items if row.get("id")}
            assert path == "keys/" or items == []


async def test_a_list_of_markets_shows_drafts_to_nobody_who_may_not_see_them(place, visit):
    seen = set()
    for role in ROLES:
        names = {
            market["name"]
            for market in (await visit(role, "GET", "/api/v1/markets/")).json()["items"]
        }
        assert "Will it rain?" in names
        seen |= {role} if "Is it a secret?" in names else set()
    assert seen == {"superuser", "editor", "editor-key", "resolver", "auditor", "viewer"}


async def test_a_session_without_its_token_writes_nothing(place, visit):
    """A page of another site could send the cookie, but not the token."""
    writes = [
        row for row in API if not row.door.startswith("GET ") and "/quote" not in row.door
    ]  # a quote writes nothing
    for row in writes:
        method, path, asked = await in_thread(request_for, row.door, place)
        answer = await visit("superuser", method, path, headers={"X-CSRFToken": ""}, **asked)
        assert answer.status_code == 403, row.door
        assert "CSRF" in answer.json()["detail"], row.door
