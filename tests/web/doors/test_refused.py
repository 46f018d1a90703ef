"""A person who may not: an action that would succeed, sent anyhow, moves neither money nor a market."""

from types import SimpleNamespace

import pytest

from markets.domain.amounts import MICRO
from markets.infra.threads import in_thread
from markets.models import Account, ApiKey, Market
from markets.services import keys
from tests.support.clock import LATER, NOW
from tests.support.factory import make_market, order, resolve, state, trade, yes_no
from tests.support.roles import ROLES, rows_of_models

MOVING = [
    row
    for row in rows_of_models()
    if row.door.startswith("ACTION") and "delete_selected" not in row.door
]


def traded(place):
    market = make_market("Traded?")
    trade(place.people["owner"], market, order(yes_no(market)[0], shares=MICRO))
    return market


def resolved(place):
    market = traded(place)
    resolve(market, yes=MICRO)
    return market


# what is chosen for each action, and what is sent along, so that it succeeds
CHOSEN = {
    "schedule": lambda place: make_market("Soon?", status="draft", open_at=LATER),
    "open": lambda place: make_market("Open?", status="draft"),
    "pause": lambda place: make_market("Pause?"),
    "close": lambda place: make_market("Close?"),
    "resolve": traded,
    "unresolve": resolved,
    "cancel": traded,
    "grant": lambda place: Account.objects.get(user=place.people["owner"]),
    "revoke": lambda place: keys.issue_key(
        user=place.people["owner"], now=NOW, name="live", scopes=["read"]
    )[0],
}
SENT = {
    "resolve": {"outcome": "yes"},
    "grant": {"amount": "5", "reason": "A gift", "request_key": "once"},
}


def everything():
    facts = Market.objects.order_by("pk").values_list(
        "pk", "status", "version", "public", "open_at", "close_at"
    )
    return [
        *state(),
        list(facts),
        list(ApiKey.objects.order_by("pk").values_list("pk", "revoked_at")),
    ]


@pytest.mark.parametrize("row", MOVING, ids=lambda row: row.door)
async def test_an_action_changes_nothing_for_those_who_may_not_and_something_for_those_who_may(
    place: SimpleNamespace, visit, row
):
    _, path, action = row.door.split(" ")
    chosen = await in_thread(CHOSEN[action], place)
    sent = {"action": action, "_selected_action": chosen.pk, **SENT.get(action, {})}
    before = await in_thread(everything)
    for role in ROLES:
        if role not in row.allowed.split():
            answer = await visit(role, "POST", path, data=sent)
            assert answer.status_code in {200, 302, 403}
            assert await in_thread(everything) == before, role
    await visit(row.allowed.split()[-1], "POST", path, data=sent)
    assert await in_thread(everything) != before, "the selection would have succeeded"
