"""Two pairs of eyes: one proposes a resolution, holders object, another person approves or rejects it."""

from datetime import timedelta

import pytest

from markets.domain.amounts import MICRO
from markets.domain.errors import (
    AlreadyDone,
    Forbidden,
    IllegalTransition,
    Invalid,
    NotFound,
    PreviewOutdated,
)
from markets.models import Notification, Proposal
from markets.selectors import audit
from markets.services import lifecycle, proposals, resolution
from markets.tasks import reactions
from tests.support.clock import NOW
from tests.support.factory import balance, edit_now, order, trade, yes_no
from tests.support.people import person

DAY = timedelta(days=1)


@pytest.fixture(autouse=True)
def two_people(settings):
    settings.RESOLUTION_REVIEW_HOURS = 24


@pytest.fixture
def closed(market, bob):
    """A closed market in which bob holds ten shares of Yes."""
    trade(bob, market, order(yes_no(market)[0]))
    return lifecycle.close_market(market_id=market.pk, actor=None, now=NOW)


@pytest.fixture
def carol(world):
    return person("carol", is_staff=True)


def propose(market, who, **facts):
    weights = {yes_no(market)[0].pk: MICRO}
    facts.setdefault("now", NOW)
    return proposals.propose(market_id=market.pk, actor=who, weights=weights, **facts)


def approve(market, who, **facts):
    facts.setdefault("now", NOW + DAY)
    return proposals.approve(market_id=market.pk, actor=who, **facts)


def test_one_proposes_and_another_approves(closed, alice, bob, carol):
    before = balance(bob)
    propose(closed, alice, note="It rained.", evidence_url="https://example.org/rain")
    closed.refresh_from_db()
    assert closed.status == "closed"
    assert balance(bob) == before
    event = closed.events.last()
    assert (event.type, event.payload["note"]) == ("market.resolution_proposed", "It rained.")

    approve(closed, carol)
    closed.refresh_from_db()
    assert closed.status == "resolved"
    assert balance(bob) == before + 10 * MICRO
    found = closed.resolutions.get()
    assert (found.note, found.resolved_by, found.evidence_url) == (
        "It rained.",
        carol,
        "https://example.org/rain",
    )
    decided = Proposal.objects.get()
    assert (decided.approved, decided.decided_by) == (True, carol)
    assert not audit.breaches()


def test_nobody_resolves_alone(closed, alice):
    with pytest.raises(Forbidden, match="Two people"):
        resolution.resolve_market(
            market_id=closed.pk, actor=alice, now=NOW, weights={yes_no(closed)[0].pk: MICRO}
        )
    propose(closed, alice)
    with pytest.raises(Forbidden, match="yourself"):
        approve(closed, alice)


def test_who_holds_shares_does_not_approve(closed, alice, bob):
    propose(closed, alice)
    with pytest.raises(Forbidden, match="hold shares"):
        approve(closed, bob)
    closed.refresh_from_db()
    assert closed.status == "closed"


def test_it_is_approved_after_the_time_for_objections_only(closed, alice, carol):
    propose(closed, alice)
    with pytest.raises(Forbidden, match="can object until"):
        approve(closed, carol, now=NOW + DAY - timedelta(seconds=1))
    approve(closed, carol, now=NOW + DAY)


def test_only_a_closed_market_and_only_one_proposal(market, alice, carol):
    with pytest.raises(IllegalTransition):
        propose(market, alice)
    lifecycle.close_market(market_id=market.pk, actor=None, now=NOW)
    propose(market, alice)
    with pytest.raises(Invalid, match="proposed already"):
        propose(market, carol)
    assert Proposal.objects.count() == 1


def test_bad_weights_are_refused_when_they_are_proposed(closed, alice):
    with pytest.raises(Invalid, match="sum to"):
        proposals.propose(
            market_id=closed.pk, actor=alice, now=NOW, weights={yes_no(closed)[0].pk: 990_000}
        )


def test_a_rejected_proposal_leaves_room_for_another(closed, alice, carol):
    propose(closed, alice)
    proposals.reject(market_id=closed.pk, actor=carol, now=NOW, note="It was drizzle.")
    assert closed.events.last().payload == {"note": "It was drizzle."}
    with pytest.raises(NotFound):
        approve(closed, carol)
    propose(closed, carol)
    approve(closed, alice)


def test_what_is_approved_is_what_was_read(closed, alice, carol):
    propose(closed, alice)
    closed.refresh_from_db()
    read = closed.seq
    edit_now(closed, name="Will it snow?", reason="A better name.")
    with pytest.raises(PreviewOutdated):
        approve(closed, carol, expected_seq=read)
    approve(closed, carol)


def test_a_cancelled_market_has_no_open_proposal(closed, alice):
    propose(closed, alice)
    resolution.cancel_market(market_id=closed.pk, actor=alice, now=NOW)
    assert Proposal.objects.get().decided_at == NOW
    assert not Proposal.objects.get().approved


def test_holders_object_once_in_time(closed, alice, bob, carol):
    propose(closed, alice)
    said = {"market_id": closed.pk, "said": "It was dry."}
    proposals.object_to(trader=bob, now=NOW, **said)
    with pytest.raises(AlreadyDone):
        proposals.object_to(trader=bob, now=NOW, **said)
    with pytest.raises(Forbidden, match="hold shares"):
        proposals.object_to(trader=carol, now=NOW, **said)
    with pytest.raises(Forbidden, match="passed"):
        proposals.object_to(trader=bob, now=NOW + DAY, **said)
    assert [o.text for o in Proposal.objects.get().objections.all()] == ["It was dry."]


def test_holders_are_told(closed, alice, bob):
    propose(closed, alice)
    reactions.react(closed.events.last().pk)
    assert [
        n.user for n in Notification.objects.filter(text__startswith="Resolution proposed")
    ] == [bob]
