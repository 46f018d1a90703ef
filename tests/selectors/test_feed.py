"""The exact feed: every public event once, in one order, however late a transaction commits."""

import threading

import pytest
from django.db import connection, transaction

from markets.models import Event, Market
from markets.selectors import feed
from markets.services import catalogue, lifecycle
from tests.support.clock import NOW
from tests.support.factory import order, rename, trade, yes_no
from tests.support.people import person
from tests.support.reactions import wait_until_told
from tests.support.threads import together


def read(cursor=feed.START, limit=100, *, wait=True, **facts):
    """The names of what is next, as (market, seq), and the cursor behind it."""
    if wait:
        wait_until_told()
    found = feed.events_after(cursor, limit=limit, **facts)
    return [(event.market_id, event.seq) for event in found], feed.cursor_of(
        found[-1]
    ) if found else cursor


class Slow:
    """A transaction in a thread of its own: `work` is done, and it commits when it is told to."""

    def __init__(self, work):
        self.done, self.go_on = threading.Event(), threading.Event()
        self.thread = threading.Thread(target=self._run, args=[work])
        self.thread.start()
        assert self.done.wait(10)

    def _run(self, work):
        with transaction.atomic():
            work()
            self.done.set()
            assert self.go_on.wait(10)
        connection.close()

    def commit(self):
        self.go_on.set()
        self.thread.join(10)


def changed(market, name):
    """An edit inside a transaction that goes on."""
    return lambda: catalogue.change_market(
        market_id=market.pk, actor=None, now=NOW, changes={"name": name}
    )


def test_what_commits_late_is_neither_missed_nor_told_twice(make_market):
    first, second = make_market("First?"), make_market("Second?")
    begin, cursor = read()
    assert begin == [(first.pk, 1), (second.pk, 1)]
    slow = Slow(changed(first, "Late?"))  # it has its ids, and has not committed
    rename(second, "Early?")
    assert read(cursor, wait=False)[0] == [], "what lies behind a running transaction waits"
    late = Event.objects.get(market=second, seq=2)
    slow.commit()
    heard, cursor = read(cursor)
    assert heard == [(first.pk, 2), (second.pk, 2)]
    assert Event.objects.get(market=first, seq=2).pk < late.pk, (
        "its id was the smaller one, though it came later"
    )
    assert read(cursor)[0] == []


def test_a_reader_by_id_would_have_missed_it(make_market):
    """The test above must be about something: the same interleaving, read by the ids of the rows."""
    first, second = make_market("First?"), make_market("Second?")
    slow = Slow(changed(first, "Late?"))
    rename(second, "Early?")
    by_id = max(Event.objects.values_list("pk", flat=True))
    slow.commit()
    assert not Event.objects.filter(pk__gt=by_id).exists()
    assert Event.objects.filter(market=first, seq=2).exists()


def test_a_reader_in_small_steps_hears_each_event_once_while_many_write(make_market):
    markets = [make_market(f"Market {number}?") for number in range(4)]
    traders = [person(f"trader{number}") for number in range(4)]
    heard, cursor, writing = [], feed.START, threading.Event()

    def write(number):
        for step in range(12):
            market = markets[(number + step) % 4]
            trade(traders[number], market, order(yes_no(market)[0], shares=1_000_000))

    def follow():
        nonlocal cursor
        while True:
            ended = writing.is_set()
            found, cursor = read(cursor, limit=3, wait=False)
            heard.extend(found)
            if ended and not found:
                break
        connection.close()

    reader = threading.Thread(target=follow)
    reader.start()
    together(4, write)
    wait_until_told()
    writing.set()
    reader.join(30)
    assert sorted(heard) == sorted(Event.objects.values_list("market_id", "seq"))
    for market in markets:
        seqs = [seq for market_id, seq in heard if market_id == market.pk]
        assert seqs == list(range(1, len(seqs) + 1)), "within a market in the order of its log"


def test_two_who_wait_for_a_market_are_told_in_the_order_of_its_log(make_market):
    market = make_market()
    slow = Slow(lambda: Market.objects.select_for_update().get(pk=market.pk))
    names = [
        threading.Thread(target=lambda name=name: (rename(market, name), connection.close()))
        for name in "ABC"
    ]
    for thread in names:
        thread.start()
    slow.commit()
    for thread in names:
        thread.join(10)
    assert read()[0] == [(market.pk, seq) for seq in (1, 2, 3, 4)]


def test_the_feed_can_be_of_some_kinds_only(make_market, bob):
    market = make_market()
    trade(bob, market, order(yes_no(market)[0]))
    rename(market, "Other?", reason="A better name.")
    assert read(types=["trade"])[0] == [(market.pk, 2)]


def test_what_was_said_of_a_draft_is_not_in_the_feed(make_market):
    draft = make_market("Secret?", status="draft")
    rename(draft, "Also secret?")
    assert read()[0] == []
    lifecycle.open_market(market_id=draft.pk, actor=None, now=NOW)
    assert read()[0] == [(draft.pk, 3)]


@pytest.mark.parametrize("cursor", [(0, 0), (2**63, 0), (0, 2**62)])
def test_any_cursor_can_be_read_from(make_market, cursor):
    make_market()
    assert len(read(cursor)[0]) in {0, 1}


def test_a_check_of_all_markets_finds_what_committed_late(make_market):
    first, second = make_market("First?"), make_market("Second?")
    wait_until_told()
    horizon = feed.current_horizon()
    slow = Slow(changed(first, "Late?"))
    rename(second, "Early?")
    found, horizon = feed.newest_since(horizon)
    assert [(event.market_id, event.seq) for event in found] == [(second.pk, 2)]
    slow.commit()
    found, horizon = feed.newest_since(horizon)
    assert (first.pk, 2) in [(event.market_id, event.seq) for event in found]
    wait_until_told()
    found, horizon = feed.newest_since(horizon)
    assert feed.newest_since(horizon)[0] == []
