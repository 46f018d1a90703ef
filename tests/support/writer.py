"""Writes events as fast as the log takes them: `python -m tests.support.writer COUNT MARKET_ID…`, several at once."""

import random
import sys
import time

import django

django.setup()

from django.db import transaction
from django.utils import timezone

from markets import events
from markets.domain.event_types import EventType
from markets.models import Event, Market
from markets.presenters.event import present_event

AT_ONCE = 10


def write(market_id: int) -> None:
    with transaction.atomic():
        market = Market.objects.select_for_update().get(pk=market_id)
        now, prices = timezone.now(), market.price_texts()
        made = [
            Event(
                market=market,
                seq=market.seq + n,
                type=EventType.TRADE,
                at=now,
                prices=prices,
                pending=False,
            )
            for n in range(1, AT_ONCE + 1)
        ]
        Event.objects.bulk_create(made)
        Market.objects.filter(pk=market_id).update(
            seq=market.seq + AT_ONCE, updated_at=now, active_at=now
        )
        for event in made:
            events.recorded(present_event(event), trader_id=0)


if __name__ == "__main__":
    count, *markets = map(int, sys.argv[1:])
    for _ in range(count // AT_ONCE):
        write(random.choice(markets))
        time.sleep(0.06)  # all of them together: some four hundred events a second
