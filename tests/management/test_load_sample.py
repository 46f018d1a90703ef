"""The sample's past: weeks of trading, told once, whatever happens on the way."""

import itertools
import json
import signal
from collections import Counter
from datetime import timedelta

import pytest
import redis
from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management import CommandError, call_command
from django.utils import timezone

from clients.people import PEOPLE
from markets.management.commands.load_sample import COMMENTS, SAMPLE
from markets.management.past import TRADER, Past
from markets.models import DayTotal, Event, Market, Posting, Resolution, Trade
from markets.selectors import audit
from markets.tasks.reactions import react_to_trades
from tests.support.factory import make_market
from tests.support.people import person
from tests.support.processes import Process, wait_for
from tests.support.reactions import react_to_all, wait_until_told

ROWS = json.loads(SAMPLE.read_text(encoding="utf-8"))
END = timezone.now().replace(microsecond=0)


SAID = json.loads(COMMENTS.read_text(encoding="utf-8"))
EVENTS = {
    "create": "market.created",
    "open": "market.opened",
    "trade": "trade",
    "comment": "comment.added",
    "edit": "market.updated",
    "pause": "market.paused",
    "close": "market.closed",
    "resolve": "market.resolved",
    "cancel": "market.cancelled",
}


def load_and_kill(*, after_trades):
    loading = Process("manage", "load_sample")
    wait_for(lambda: Trade.objects.count() >= after_trades or loading.child.poll() is not None, 60)
    assert loading.child.poll() is None, loading.output()
    loading.child.send_signal(signal.SIGKILL)
    loading.child.wait()
    loading.end()


def test_weeks_of_trading_are_loaded_in_the_order_of_time_and_once(world):
    call_command("load_sample")
    assert audit.breaches() == []
    first, last = Trade.objects.earliest("at").at, Trade.objects.latest("at").at
    assert last - first > timedelta(weeks=7)
    assert timezone.now() - last < timedelta(days=3)
    assert set(Trade.objects.values_list("trader__username", flat=True)) == {
        TRADER,
        *(someone.name for someone in PEOPLE),
    }
    of_accounts = itertools.groupby(
        Posting.objects.order_by("account", "pk").values_list("account", "entry__at"),
        key=lambda posting: posting[0],
    )
    for _, postings in of_accounts:
        times = [at for _, at in postings]
        assert times == sorted(times)
    assert Event.objects.filter(market__public=True, type="trade").count() > 2000

    for row in ROWS:
        market = Market.objects.get(external_id=row["external_id"])
        assert market.status == row["status"]
        if row["status"] == "resolved":
            resolution = Resolution.objects.get(market=market)
            assert resolution.evidence_url
            assert resolution.payouts.get().outcome.label == row["resolves_to"]
    edited = Event.objects.filter(type="market.updated").exclude(payload__reason=None)
    assert edited.count() == 3

    held = get_user_model().objects.get(username=TRADER).positions.select_related("market")
    assert held.filter(market__status="active", shares__gt=0).count() >= 5
    assert held.filter(market__status="resolved", payout__gt=0).exists()
    assert held.filter(market__status="resolved", payout=0, shares__gt=0).exists()

    counts = Event.objects.count(), get_user_model().objects.count(), Posting.objects.count()
    call_command("load_sample")
    assert (
        Event.objects.count(), get_user_model().objects.count(), Posting.objects.count()
    ) == counts  # fmt: skip


def test_a_start_that_was_killed_is_taken_up_where_it_ended(world):
    """Whatever is lost with the broker's messages is started again, too."""
    mine = make_market("Mine?", external_id="sample:gold-new-high")
    broker = redis.Redis.from_url(settings.REDIS_URL)
    load_and_kill(after_trades=3)
    load_and_kill(after_trades=700)
    broker.delete("celery")
    pending = Event.objects.filter(pending=True).count()
    assert pending > 20
    call_command("load_sample")
    assert broker.llen("celery") >= Event.objects.filter(pending=True).count()

    first = get_user_model().objects.get(username=PEOPLE[0].name)
    end = first.date_joined + timedelta(days=PEOPLE[0].joined)
    acts = list(Past(ROWS, SAID, end, settings.STARTING_GRANT).acts())
    told = Event.objects.exclude(market=mine).order_by("at")
    assert list(told.values_list("at", "market__external_id", "type")) == [
        (act.at, act.external_id, EVENTS[act.verb])
        for act in acts
        if act.external_id != mine.external_id
    ]
    assert not mine.trades.exists()
    assert audit.breaches() == []

    wait_until_told()
    react_to_all()
    while react_to_trades():
        pass
    days = Counter(Trade.objects.values_list("at__date", flat=True))
    assert dict(DayTotal.objects.values_list("day", "trades")) == days
    assert len(days) > 45


def test_names_that_belong_to_others_are_left_to_them(world):
    person("tobias")
    with pytest.raises(CommandError, match="tobias"):
        call_command("load_sample")
    assert not Market.objects.exists()


def test_a_past_follows_from_its_end_and_is_in_order():
    acts = list(Past(ROWS, SAID, END, 10**9).acts())
    assert acts == list(Past(ROWS, SAID, END, 10**9).acts())
    assert all(one.at < other.at for one, other in itertools.pairwise(acts))
    assert acts[-1].verb == "create", "a past whose markets are all there is complete"
    assert acts[-1].at <= END


@pytest.mark.parametrize("days", range(0, 370, 41))
def test_a_past_is_believable_on_every_day_of_the_year(days):
    """Fewer trades on weekends, prices that keep away from 0 and 1, traders of either fortune."""
    past = Past(ROWS, SAID, END + timedelta(days=days, hours=days % 24), 10**9)
    trades = [act for act in past.acts() if act.verb == "trade"]
    assert 2000 < len(trades) < 4500
    weekend = sum(act.at.weekday() >= 5 for act in trades) / len(trades)
    assert 0.03 < weekend < 0.25
    most = Counter(act.facts["trader"] for act in trades).most_common()
    assert len(most) == len(PEOPLE) + 1
    assert most[-1][1] >= 3
    assert dict(most)[TRADER] >= 14
    for market in past.trading.values():  # those still open
        assert all(10_000 < price < 990_000 for price in market.book.prices())
