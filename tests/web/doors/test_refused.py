"""A person who may not: what would succeed, sent anyhow, moves neither money nor a market."""

from datetime import timedelta
from types import SimpleNamespace

import pytest
from django.utils import timezone

from markets.domain.amounts import MICRO
from markets.infra.threads import in_thread
from markets.models import (
    Account,
    ApiKey,
    Comment,
    CommentReport,
    Invitation,
    Job,
    Market,
    Proposal,
)
from markets.services import bulk, comments, invitations, keys, lifecycle, proposals
from tests.support.clock import LATER, NOW
from tests.support.factory import (
    make_market,
    make_market_that_is,
    order,
    resolve,
    state,
    trade,
    yes_no,
)
from tests.support.roles import ROLES, STEPS, Row, rows_of_models

MOVING = [
    row
    for row in rows_of_models()
    if row.door.startswith("ACTION") and "delete_selected" not in row.door
]
STEPPING = [
    Row(f"POST {model.split('.')[1]} {step}", who)
    for model, steps in STEPS.items()
    for step, who in steps.items()
]


def traded(place):
    market = make_market("Traded?")
    trade(place.people["owner"], market, order(yes_no(market)[0], shares=MICRO))
    return market


def resolved(place):
    market = traded(place)
    resolve(market, yes=MICRO)
    return market


def proposed(place):
    market = lifecycle.close_market(market_id=traded(place).pk, actor=None, now=NOW)
    weights = {yes_no(market)[0].pk: MICRO}
    proposals.propose(market_id=market.pk, actor=place.people["owner"], now=NOW, weights=weights)
    return market


def active(_place):
    return make_market("Active?")


def draft(_place):
    return make_market("Soon?", status="draft", open_at=LATER)


def job(place, state="proposed"):
    market = make_market("Closed by a job?")
    made = bulk.propose(
        operation="close", market_ids=[market.pk], actor=place.people["editor"], now=NOW
    )
    Job.objects.filter(pk=made.pk).update(state=state)
    return made


def invitation(place):
    later = timezone.now() + timedelta(days=1)
    invitations.make_invitations(
        actor=place.people["superuser"], count=1, note="", expires_at=later, now=NOW
    )
    return Invitation.objects.latest("pk")


def reported(place):
    owner, trader = place.people["owner"], place.people["trader"]
    said = f"Reason {Comment.objects.count()}"
    later = NOW + timedelta(hours=Comment.objects.count())
    comment, _ = comments.write(market_id=place.active.pk, author=owner, said=said, now=later)
    comments.report(comment_id=comment.pk, reporter=trader, reason="Rude", now=NOW)
    return comment


def decided(place, decision):
    comment = reported(place)
    ids = {"comment_id": comment.pk, "actor": place.people["superuser"]}
    return comments.decide(**ids, now=NOW, decision=decision)


# what is chosen for each action or page, and what is sent along, so that it succeeds
CHOSEN = {
    "schedule": draft,
    "open": lambda place: make_market("Open?", status="draft"),
    "pause": active,
    "close": active,
    "move_closing": active,
    "set_category": active,
    "add_tags": active,
    "duplicate": active,
    "resolve": traded,
    "propose": lambda place: lifecycle.close_market(
        market_id=traded(place).pk, actor=None, now=NOW
    ),
    "approve": proposed,
    "reject": proposed,
    "unresolve": resolved,
    "cancel": traded,
    "grant": lambda place: Account.objects.get(user=place.people["owner"]),
    "revoke": lambda place: keys.issue_key(
        user=place.people["owner"], now=NOW, name="live", scopes=["read"]
    )[0],
    "withdraw": invitation,
    "keep": reported,
    "hide": reported,
    "show": lambda place: decided(place, "hidden"),
    "pin": reported,
    "unpin": lambda place: decided(place, "pinned"),
    "confirm": job,
    "retry": lambda place: job(place, "failed"),
}
SENT = {
    "resolve": lambda market: {f"weight_{yes_no(market)[0].pk}": "1"},
    "propose": lambda market: {f"weight_{yes_no(market)[0].pk}": "1"},
    "cancel": lambda _market: {"word": "cancel"},
    "grant": lambda _account: {"amount": "5", "reason": "A gift", "request_key": "once"},
}


def everything():
    facts = Market.objects.order_by("pk").values_list(
        "pk", "status", "version", "public", "open_at", "close_at"
    )
    return [
        *state(),
        list(facts),
        list(ApiKey.objects.order_by("pk").values_list("pk", "revoked_at")),
        list(Invitation.objects.order_by("pk").values_list("pk", "revoked_at")),
        list(Proposal.objects.order_by("pk").values_list("pk", "decided_at")),
        list(Comment.objects.order_by("pk").values_list("pk", "hidden_at", "pinned_at")),
        list(CommentReport.objects.order_by("pk").values_list("pk", "decided_at")),
        list(Job.objects.order_by("pk").values_list("pk", "state", "position")),
    ]


@pytest.mark.parametrize("row", MOVING, ids=lambda row: row.door)
async def test_an_action_changes_nothing_for_those_who_may_not_and_something_for_those_who_may(
    place: SimpleNamespace, visit, row
):
    _, path, action = row.door.split(" ")
    chosen = await in_thread(CHOSEN[action], place)
    more = SENT[action](chosen) if action == "grant" else {}
    sent = {"action": action, "_selected_action": chosen.pk, **more}
    before = await in_thread(everything)
    for role in ROLES:
        if role not in row.allowed.split():
            answer = await visit(role, "POST", path, data=sent)
            assert answer.status_code in {200, 302, 403}
            assert await in_thread(everything) == before, role
    await visit(row.allowed.split()[-1], "POST", path, data=sent)
    assert await in_thread(everything) != before, "the selection would have succeeded"


@pytest.mark.parametrize("row", STEPPING, ids=lambda row: row.door)
async def test_a_confirmation_changes_nothing_for_those_who_may_not_and_something_for_those_who_may(
    place: SimpleNamespace, visit, row, settings
):
    """Each sends what the page would, had it been shown: the form, the basis and the last step."""
    _, model, step = row.door.split(" ")
    if step in {"propose", "approve", "reject"}:
        settings.RESOLUTION_REVIEW_HOURS = 0
    chosen = await in_thread(CHOSEN[step], place)
    more = await in_thread(SENT.get(step, lambda _: {}), chosen)
    path = f"/admin/markets/{model}/{chosen.pk}/{step}/"
    shown = await in_thread(basis_of, step, chosen)
    sent = {"step": "confirm", "basis": shown, **more}
    before = await in_thread(everything)
    for role in ROLES:
        if role not in row.allowed.split():
            answer = await visit(role, "POST", path, data=sent)
            assert answer.status_code in {302, 403}, role
            assert await in_thread(everything) == before, role
    answer = await visit(row.allowed.split()[-1], "POST", path, data=sent)
    assert answer.status_code == 302, answer.text
    assert await in_thread(everything) != before, "the confirmation would have succeeded"


def basis_of(step, chosen):
    chosen.refresh_from_db()
    if isinstance(chosen, Job):
        return "1 []"
    if isinstance(chosen, Comment):
        waiting = chosen.reports.filter(decided_at=None).count()
        return f"{chosen.edited_at} {chosen.hidden_at} {chosen.pinned_at} {waiting}"
    if step == "unresolve":
        return f"{chosen.seq} 0"  # and nothing is lacking
    return chosen.version if step in {"schedule", "open", "pause", "close"} else chosen.seq


async def test_a_job_of_many_markets_is_confirmed_by_its_proposer_only(place, visit):
    chosen = await in_thread(make_market_that_is, "active", "Confirmed by another?")
    sent = {"action": "close", "_selected_action": chosen.pk}
    answer = await visit("superuser", "POST", "/admin/markets/market/", data=sent)
    page = answer.headers["Location"]
    assert (await visit("superuser", "GET", page)).status_code == 200
    for role in ROLES[1:]:
        answer = await visit(role, "POST", page, data={"step": "confirm", "basis": "1 []"})
        assert answer.status_code in {302, 403}, role
    assert (await in_thread(Market.objects.get, pk=chosen.pk)).status == "active"
