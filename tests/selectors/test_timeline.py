"""The timeline of a market, as people read it."""

from datetime import timedelta

import pytest

from markets.domain.amounts import MICRO
from markets.domain.text import OutcomeDraft
from markets.models import Market
from markets.selectors import timeline
from markets.services import catalogue, lifecycle, resolution
from tests.support.clock import NOW
from tests.support.factory import order, rename, trade, yes_no


def edit(market, actor=None, reason="", now=NOW, **changes):
    catalogue.edit_market(market_id=market.pk, actor=actor, now=now, changes=changes, reason=reason)


def newest(market):
    return timeline.entries(market)[0]


def test_each_line_says_who_when_and_what_the_newest_first(make_market, alice, bob):
    market = make_market(status="draft", actor=alice)
    facts = {"market_id": market.pk, "actor": alice}
    lifecycle.open_market(**facts, now=NOW + timedelta(hours=1))
    trade(bob, market, order(yes_no(market)[0]), now=NOW + timedelta(hours=2))
    lifecycle.close_market(market_id=market.pk, actor=None, now=NOW + timedelta(hours=3))
    yes, no = yes_no(market)
    weights = {yes.pk: 250_000, no.pk: 750_000}
    resolution.resolve_market(**facts, now=NOW + timedelta(hours=4), weights=weights)
    resolution.unresolve_market(**facts, now=NOW + timedelta(hours=5), note="A mistake.")
    resolution.cancel_market(**facts, now=NOW + timedelta(hours=6), note="Asked twice.")
    found = timeline.entries(market)
    assert [(entry.who, entry.what, entry.note) for entry in found] == [
        ("alice", "Cancelled (closed → cancelled)", "Asked twice."),
        ("alice", "Unresolved (resolved → closed)", "A mistake."),
        ("alice", "Resolved: Yes 0.25, No 0.75", ""),
        ("", "Closed (active → closed)", ""),
        ("alice", "Opened (draft → active)", ""),
        ("alice", "Created as draft", ""),
    ]
    assert [entry.at for entry in found][0] == NOW + timedelta(hours=6)
    assert [entry.seq for entry in found] == [7, 6, 5, 4, 2, 1], "trades stand apart"
    assert [t.trader for t in timeline.newest_trades(market)] == [bob]


def test_a_closing_date_that_somebody_changed_says_from_what_to_what(market, alice):
    edit(market, close_at=NOW + timedelta(days=30))
    edit(market, alice, close_at=NOW + timedelta(days=10, minutes=30))
    (change,) = newest(market).changes
    assert newest(market).who == "alice"
    assert (change.label, change.before, change.after) == (
        "Closes",
        "31 Mar 2026 12:00 UTC",
        "11 Mar 2026 12:30 UTC",
    )
    edit(market, close_at=None)
    assert newest(market).changes[0].after == "nothing"


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"category": "Weather"}, ("Category", "nothing", "weather")),
        ({"tags": ["Wet", "Sky"]}, ("Tags", "none", "sky, wet")),
        ({"liquidity": 150 * MICRO}, ("Liquidity", "100", "150")),
        ({"source_url": "https://example.org/x"}, ("Source", "nothing", "https://example.org/x")),
        ({"outcomes": [OutcomeDraft("Si", 250_000), OutcomeDraft("No", None)]}, (
            "Outcomes", "Yes 0.5, No 0.5", "Si 0.25, No 0.75"
        )),
    ],
)  # fmt: skip
def test_every_field_is_shown_by_its_name_and_as_people_write_it(make_market, changes, line):
    market = make_market(status="draft")
    edit(market, **changes)
    (change,) = newest(market).changes
    assert (change.label, change.before, change.after) == line


def test_a_correction_says_its_reason(market, bob):
    trade(bob, market, order(yes_no(market)[0]))
    edit(market, resolution_criteria="By the gauge.", reason="There are two.")
    assert (newest(market).what, newest(market).note) == ("Corrected", "There are two.")


def test_a_long_text_is_shown_as_its_difference(make_market):
    words = [f"word{n}" for n in range(200)]
    market = make_market(description=" ".join(words))
    edit(market, description=" ".join([*words[:100], "inserted", *words[101:]]))
    (change,) = newest(market).changes
    assert [kind for kind, _ in change.pieces] == ["same", "gone", "new", "same"]
    same, gone, new, _ = (text for _, text in change.pieces)
    assert (gone, new) == ("word100", "inserted")
    assert same.endswith("word98 word99"), "with the words around it"
    assert len(same.split()) < 20, "not with all of the text"


def test_a_name_is_shown_as_its_difference(market):
    rename(market, "Will it snow?")
    (change,) = newest(market).changes
    assert change.pieces == [("same", "Will it"), ("gone", "rain?"), ("new", "snow?")]


def test_a_difference_of_the_longest_texts_takes_no_time(make_market):
    import time

    before = "\n".join(f"line {n} of it" for n in range(2000))
    market = make_market(description=before)
    edit(market, description=before.replace("1", "one"))
    begun = time.monotonic()
    assert newest(market).changes[0].pieces
    assert time.monotonic() - begun < 2


def test_only_the_newest_are_shown(market):
    rename(market, *[f"Name {n}?" for n in range(timeline.SHOWN + 5)])
    found = timeline.entries(market)
    assert len(found) == timeline.SHOWN
    assert found[0].seq == market.events.count()


def test_who_changed_a_field_last(market, alice):
    assert timeline.last_change(market, "name") == ""
    edit(market, alice, name="First?")
    edit(market, None, name="Second?", now=NOW + timedelta(hours=1))
    edit(market, alice, tags=["Wet"])
    assert timeline.last_change(market, "name") == (
        "Somebody changed it on 1 Mar 2026 13:00 UTC to “Second?”."
    )
    assert timeline.last_change(market, "tags") == (
        "alice changed it on 1 Mar 2026 12:00 UTC to “wet”."
    )
    assert timeline.last_change(market, "close_at") == ""


def test_a_deleted_outcome_of_an_old_resolution_is_no_error(make_market):
    market = make_market(status="draft")
    market = Market.objects.get(pk=market.pk)
    market.events.update(type="market.resolved", payload={
        "from": "closed", "status": "resolved", "payouts": [{"outcome_id": 4711, "weight": "1"}]
    })  # fmt: skip
    assert newest(market).what == "Resolved: ? 1"
