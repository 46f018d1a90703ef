"""Reactions stand in a registry by kind of event, and trades have them: each once, in order, behind a cursor."""

import pytest

from markets.domain.event_types import EventType
from markets.models import Event, FeedCursor, Notification
from markets.selectors import feed
from markets.tasks import reactions
from tests.support.factory import make_market as make
from tests.support.factory import order, trade, yes_no
from tests.support.people import person
from tests.support.processes import wait_for
from tests.support.reactions import wait_until_told
from tests.support.threads import together


@pytest.fixture
def heard(monkeypatch):
    """What a reaction to trades was called with."""
    found = []
    reaction = lambda event, _now: found.append((event.market_id, event.seq))
    monkeypatch.setitem(reactions.REACTIONS, EventType.TRADE, (reaction,))
    return found


def buy(trader, market, count=1):
    for _ in range(count):
        trade(trader, market, order(yes_no(market)[0], shares=1_000_000))
    wait_until_told()


def test_every_kind_of_event_has_its_reactions():
    assert set(reactions.REACTIONS) == set(EventType)


def test_each_trade_is_reacted_to_once_in_the_order_of_the_log(market, bob, heard):
    buy(bob, market, 3)
    assert reactions.react_to_trades() == 3
    assert heard == [(market.pk, seq) for seq in (2, 3, 4)]
    assert reactions.react_to_trades() == 0
    buy(bob, market)
    reactions.react_to_trades()
    assert heard[3:] == [(market.pk, 5)]


def test_workers_that_run_at_the_same_time_react_once(market, bob, heard):
    buy(bob, market, 5)
    together(4, lambda _: reactions.react_to_trades())
    reactions.react_to_trades()
    assert heard == [(market.pk, seq) for seq in range(2, 7)]


def test_a_worker_that_dies_in_the_middle_leaves_the_batch_to_the_next(
    market, bob, heard, monkeypatch
):
    buy(bob, market, 2)

    class Killed(BaseException): ...

    def dies(event, now):
        if event.seq == 3:
            raise Killed

    with monkeypatch.context() as patch:
        patch.setitem(reactions.REACTIONS, EventType.TRADE, (dies,))
        with pytest.raises(Killed):
            reactions.react_to_trades()
    assert FeedCursor.objects.get().reached == feed.START
    assert reactions.react_to_trades() == 2
    assert heard == [(market.pk, 2), (market.pk, 3)]


def test_a_reaction_that_fails_does_not_hold_up_later_trades(
    market, bob, heard, monkeypatch, caplog
):
    buy(bob, market, 2)

    def fails(event, _now):
        if event.seq == 2:
            raise RuntimeError("a fault of the reaction")

    monkeypatch.setitem(
        reactions.REACTIONS, EventType.TRADE, (fails, reactions.REACTIONS[EventType.TRADE][0])
    )
    assert reactions.react_to_trades() == 2
    assert heard == [(market.pk, 2), (market.pk, 3)]
    assert [r.msg["event"] for r in caplog.records if r.name == "bellwether.tasks"] == [
        "reaction_failed"
    ]


def test_other_events_are_not_reacted_to_as_trades(market, heard):
    assert reactions.react_to_trades() == 0
    assert not heard


def test_who_wrote_a_market_hears_of_its_first_trade(alice, bob):
    market = make(actor=alice)
    make("Another?")  # nobody wrote it
    buy(bob, market, 2)
    buy(person("charlie"), market)
    reactions.react_to_trades()
    told = Notification.objects.filter(event__type="trade")
    assert [(note.user, note.text, note.email_due) for note in told] == [
        (alice, "First trade: Will it rain?", False)
    ]


def test_a_real_worker_reacts_to_a_trade(worker, alice, bob):
    market = make(actor=alice)
    buy(bob, market)
    wait_for(lambda: Notification.objects.filter(event__type="trade", user=alice).exists())
    event = Event.objects.get(type="trade")
    wait_for(lambda: FeedCursor.objects.get().reached == feed.cursor_of(event))
