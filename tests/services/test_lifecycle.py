"""A market's life, through the services."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import IntegrityError, connection, transaction

from markets.domain.errors import IllegalTransition, Invalid, NotFound, VersionConflict
from markets.domain.text import OutcomeDraft
from markets.models import Category, Market, Status, Tag
from markets.selectors.markets import tags
from markets.services import catalogue, lifecycle, resolution
from markets.tasks import clock
from tests.support.clock import LATER, NOW
from tests.support.threads import together

VERBS = {
    "schedule": lifecycle.schedule_market,
    "open": lifecycle.open_market,
    "pause": lifecycle.pause_market,
    "close": lifecycle.close_market,
    "cancel": resolution.cancel_market,
    "unresolve": resolution.unresolve_market,
}
ALLOWED = {
    "draft": {"schedule", "open", "cancel"},
    "scheduled": {"open", "cancel"},
    "active": {"pause", "close", "cancel"},
    "paused": {"open", "close", "cancel"},
    "closed": {"cancel"},
    "resolved": {"unresolve"},
    "cancelled": set(),
}


def market_that_is(status, make_market):
    facts = {"open_at": NOW + timedelta(hours=1), "close_at": LATER}
    start = status if status in {"draft", "scheduled"} else "active"
    market = make_market(status=start, **({} if start == "active" else facts))
    who = {"market_id": market.pk, "actor": None, "now": NOW}
    if status == "paused":
        lifecycle.pause_market(**who)
    if status in {"closed", "resolved"}:
        lifecycle.close_market(**{**who, "now": NOW + timedelta(minutes=1)})
    if status == "resolved":
        resolution.resolve_market(**who, weights={market.outcomes.first().pk: 1_000_000})
    if status == "cancelled":
        resolution.cancel_market(**who)
    return Market.objects.get(pk=market.pk)


@pytest.mark.parametrize("status", Status.values)
@pytest.mark.parametrize("verb", VERBS)
def test_only_the_moves_of_the_design_are_possible(make_market, status, verb):
    market = market_that_is(status, make_market)
    assert market.status == status
    events = market.events.count()
    call = {"market_id": market.pk, "actor": None, "now": NOW + timedelta(minutes=2)}
    if verb in ALLOWED[status]:
        moved = VERBS[verb](**call)
        assert moved.status == lifecycle.MOVES[verb][1]
        assert moved.seq == market.seq + 1 == events + 1
    else:
        with pytest.raises(IllegalTransition):
            VERBS[verb](**call)
        assert market.events.count() == events


def test_a_market_opens_and_closes_when_its_time_comes(make_market):
    market = make_market(status="scheduled", open_at=NOW + timedelta(hours=1), close_at=LATER)
    ahead = make_market(status="scheduled", open_at=LATER)
    clock.move_due_markets()  # by the real clock, which is between the two times
    market.refresh_from_db()
    assert market.status == Status.ACTIVE
    Market.objects.filter(pk=market.pk).update(close_at=NOW + timedelta(hours=2))
    clock.move_due_markets()
    market.refresh_from_db()
    ahead.refresh_from_db()
    assert (market.status, ahead.status) == (Status.CLOSED, Status.SCHEDULED)
    assert market.close_at == NOW + timedelta(hours=2), (
        "a market that closes by itself keeps its closing time"
    )


def test_a_market_closed_early_closes_now(make_market):
    market = make_market(close_at=LATER)
    moment = NOW + timedelta(days=1)
    assert lifecycle.close_market(market_id=market.pk, actor=None, now=moment).close_at == moment


def test_a_market_closed_by_a_clock_that_runs_behind_closes_after_it_opened(market):
    closed = lifecycle.close_market(market_id=market.pk, actor=None, now=NOW - timedelta(seconds=3))
    assert closed.close_at > closed.open_at


def test_scheduling_needs_an_opening_time_that_lies_ahead(make_market):
    market = make_market(status="draft")
    with pytest.raises(Invalid, match="opening time"):
        lifecycle.schedule_market(market_id=market.pk, actor=None, now=NOW)


def test_a_market_whose_time_has_passed_does_not_open(make_market):
    market = make_market(status="draft", close_at=NOW + timedelta(hours=1))
    with pytest.raises(Invalid, match="closing time has passed"):
        lifecycle.open_market(market_id=market.pk, actor=None, now=NOW + timedelta(hours=1))


def test_an_unknown_market_is_not_found(world):
    with pytest.raises(NotFound):
        lifecycle.open_market(market_id=999, actor=None, now=NOW)


def test_an_edit_that_started_from_an_old_version_is_refused(market):
    edit = {"market_id": market.pk, "actor": None, "now": NOW, "expected_version": 1}
    catalogue.edit_market(**edit, changes={"name": "Will it snow?"})
    with pytest.raises(VersionConflict):
        catalogue.edit_market(**edit, changes={"name": "Will it hail?"})
    assert Market.objects.get(pk=market.pk).name == "Will it snow?"


def test_an_edit_leaves_an_event_that_says_what_changed_and_who_did_it(market, alice):
    catalogue.edit_market(
        market_id=market.pk,
        actor=alice,
        now=NOW,
        changes={"name": "Will it snow?", "tags": ["Winter"]},
    )
    event = market.events.last()
    assert (event.type, event.actor, event.seq) == ("market.updated", alice, 2)
    assert event.payload["changes"] == {
        "name": {"from": "Will it rain?", "to": "Will it snow?"},
        "tags": {"from": [], "to": ["winter"]},
    }


def test_an_edit_that_changes_nothing_leaves_no_event(market):
    before = Market.objects.get(pk=market.pk)
    catalogue.edit_market(
        market_id=market.pk,
        actor=None,
        now=NOW,
        changes={"name": " Will  it rain? ", "description": ""},
    )
    after = Market.objects.get(pk=market.pk)
    assert (after.seq, after.version, after.updated_at) == (
        before.seq,
        before.version,
        before.updated_at,
    )


@pytest.mark.parametrize(
    ("status", "changes", "field"),
    [
        ("active", {"open_at": NOW - timedelta(days=1)}, "open_at"),
        ("active", {"close_at": NOW}, "close_at"),
        ("paused", {"close_at": NOW}, "close_at"),
        ("closed", {"close_at": LATER}, "close_at"),
        ("scheduled", {"open_at": NOW}, "open_at"),
        ("scheduled", {"open_at": None}, "open_at"),
    ],
)
def test_an_edit_gives_no_market_times_that_do_not_fit_its_state(
    make_market, status, changes, field
):
    market = market_that_is(status, make_market)
    with pytest.raises(Invalid) as refusal:
        catalogue.edit_market(market_id=market.pk, actor=None, now=NOW, changes=changes)
    assert field in refusal.value.fields


def test_a_market_whose_whole_time_passed_while_nothing_ran_opens_and_closes_in_arrears(
    make_market,
):
    market = make_market(
        status="scheduled", open_at=NOW + timedelta(hours=1), close_at=NOW + timedelta(hours=2)
    )
    clock.move_due_markets()  # by the real clock, long after
    market.refresh_from_db()
    assert (market.status, market.open_at, market.close_at) == (
        "closed",
        NOW + timedelta(hours=1),
        NOW + timedelta(hours=2),
    )
    assert list(market.events.values_list("type", flat=True)) == [
        "market.created",
        "market.opened",
        "market.closed",
    ]


def test_a_draft_that_is_called_off_stays_unseen(make_market):
    market = make_market(status="draft", tags=["Secret"])
    resolution.cancel_market(market_id=market.pk, actor=None, now=NOW)
    assert not Market.objects.public().exists()
    assert tags() == []
    with pytest.raises(IntegrityError):
        Market.objects.filter(pk=market.pk).update(status="active")


def test_a_tag_or_category_is_found_by_its_name_whatever_its_slug(make_market):
    Tag.objects.create(name="Zebra", slug="zz-other")
    Category.objects.create(name="Animals", slug="zoo")
    market = make_market(tags=["Zebra", "zz-other"], category="Animals")
    assert [tag.slug for tag in market.tags.all()] == ["zz-other"]
    assert market.category.slug == "zoo"


def test_priors_and_liquidity_are_fixed_once_trading_can_have_begun(market):
    for changes in (
        {"liquidity": 7_000_000},
        {"outcomes": [OutcomeDraft("Yes", 700_000), OutcomeDraft("No")]},
    ):
        with pytest.raises(Invalid, match="once a market has opened"):
            catalogue.edit_market(market_id=market.pk, actor=None, now=NOW, changes=changes)


def test_a_label_can_be_corrected_while_people_trade(market):
    ids = [outcome.pk for outcome in market.outcomes.all()]
    labels = [OutcomeDraft("Yes, it will"), OutcomeDraft("No")]
    catalogue.edit_market(market_id=market.pk, actor=None, now=NOW, changes={"outcomes": labels})
    assert [(o.pk, o.label) for o in market.outcomes.all()] == [
        (ids[0], "Yes, it will"),
        (ids[1], "No"),
    ]


@pytest.mark.parametrize(
    ("facts", "field"),
    [
        ({"name": " \n "}, "name"),
        ({"name": "x" * 301}, "name"),
        ({"name": "nul\0"}, "name"),
        ({"name": "lone \ud800"}, "name"),
        ({"description": "bell \x07"}, "description"),
        ({"description": "x" * 50_001}, "description"),
        ({"outcomes": []}, "outcomes"),
        ({"outcomes": [OutcomeDraft("Yes")]}, "outcomes"),
        ({"outcomes": [OutcomeDraft(str(i)) for i in range(200)]}, "outcomes"),
        ({"outcomes": [OutcomeDraft("Yes"), OutcomeDraft(" yes")]}, "outcomes"),
        ({"outcomes": [OutcomeDraft("Yes", 600_000), OutcomeDraft("No", 600_000)]}, "outcomes"),
        ({"outcomes": [OutcomeDraft("Yes", 1_000_000), OutcomeDraft("No")]}, "outcomes"),
        ({"outcomes": [OutcomeDraft("Yes", 10), OutcomeDraft("No")]}, "outcomes"),
        ({"open_at": LATER, "close_at": NOW, "status": "draft"}, "close_at"),
        ({"close_at": NOW}, "close_at"),
        ({"open_at": LATER}, "open_at"),
        ({"status": "scheduled"}, "open_at"),
        ({"status": "resolved"}, "status"),
        ({"liquidity": 0}, "liquidity"),
        ({"liquidity": 10**18}, "liquidity"),
        ({"tags": [str(i) for i in range(11)]}, "tags"),
        ({"tags": ["!!!"]}, "tags"),
        ({"source_url": "javascript:alert(1)"}, "source_url"),
        ({"name": "\u200b\u2060"}, "name"),
        ({"outcomes": [OutcomeDraft("Yes"), OutcomeDraft("Ｙｅｓ")]}, "outcomes"),
        ({"outcomes": [OutcomeDraft("Yes"), OutcomeDraft("Yes\u200b")]}, "outcomes"),
        ({"outcomes": [OutcomeDraft("é"), OutcomeDraft("e\u0301")]}, "outcomes"),
        ({"close_at": datetime(9999, 1, 1, tzinfo=UTC)}, "close_at"),
    ],
)
def test_what_makes_no_sense_is_refused_and_nothing_is_half_done(make_market, facts, field):
    with pytest.raises(Invalid) as refusal:
        make_market(**facts)
    assert field in refusal.value.fields
    assert Market.objects.count() == 0


def test_names_of_all_kinds_get_a_slug_of_their_own(make_market):
    names = ["Will it rain?", "Will it rain?", "雨が降るか", "🌧️", "will-it-rain-2", "Will it rain!"]
    slugs = [make_market(name=name).slug for name in names]
    assert len(set(slugs)) == len(names)
    assert slugs[0] == "will-it-rain"
    assert slugs[2:4] == ["market", "market-2"]


def test_markets_of_one_name_made_at_the_same_time_get_different_slugs(world):
    names = ["Race", "Race", "Race 2", "Race", "Race 2", "Race 3", "Race 2 2", "Race"]
    made = together(8, lambda n: catalogue.create_market(actor=None, now=NOW, name=names[n]).slug)
    assert len(set(made)) == 8


def test_events_of_one_market_are_gapless_when_many_write_at_once(market):
    def edit(number):
        return catalogue.edit_market(
            market_id=market.pk, actor=None, now=NOW, changes={"name": f"Name {number}"}
        ).seq

    seqs = together(24, edit)
    assert sorted(seqs) == list(range(2, 26))
    assert list(market.events.values_list("seq", flat=True)) == list(range(1, 26))


@pytest.mark.parametrize(
    "column",
    [
        "status = 'open'",
        "name = ' '",
        "close_at = open_at",
        "liquidity = 0",
        "seq = -1",
        "status = 'scheduled', open_at = NULL",
    ],
)
def test_the_database_refuses_what_must_not_be(market, column):
    with pytest.raises(IntegrityError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"UPDATE markets_market SET {column} WHERE id = %s", [market.pk])


def test_weights_that_settle_a_market_belong_to_it_and_sum_to_one(make_market):
    market, other = make_market(), make_market("Another?")
    yes, no = market.outcomes.all()
    for weights in (
        {yes.pk: 500_000},
        {yes.pk: 2_000_000, no.pk: -1_000_000},
        {other.outcomes.first().pk: 1_000_000},
    ):
        with pytest.raises(Invalid):
            resolution.resolve_market(market_id=market.pk, actor=None, now=NOW, weights=weights)
    resolution.resolve_market(
        market_id=market.pk, actor=None, now=NOW, weights={yes.pk: 250_000, no.pk: 750_000}
    )
    assert Market.objects.get(pk=market.pk).status == Status.RESOLVED
