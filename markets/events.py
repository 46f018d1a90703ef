"""The one door through which a change becomes known.

`record` appends the event inside the caller's transaction; what follows from it (cache, streams, jobs) starts after commit.
"""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import Any

from django.contrib.auth.base_user import AbstractBaseUser
from django.db import connection, transaction

from config.logs import current_request_id
from markets import cache, tasks
from markets.event_types import EventType
from markets.live import doorbell
from markets.models import Event, Market


def record(market: Market, kind: EventType, *, actor: AbstractBaseUser | None, now: datetime, **payload: Any) -> Event:
    """Append an event with the market's next `seq`.

    The caller holds the market's row lock (or has just inserted the row) inside a transaction. `payload` is public.
    """
    assert connection.in_atomic_block, "record() belongs into the transaction that makes the change"
    market.seq += 1
    market.updated_at = market.active_at = now
    market.save(update_fields=["seq", "updated_at", "active_at"])
    event = Event.objects.create(
        market=market,
        seq=market.seq,
        type=kind,
        at=now,
        actor_id=actor.pk if actor else None,
        payload=payload,
        prices=market.price_texts(),
        request_id=current_request_id(),
    )
    transaction.on_commit(partial(_follow, event, public=market.public))
    return event


def recorded(message: dict[str, Any], *, whose: int) -> None:
    """As `record`, for a service that wrote a public event's row itself, in the statement that made the change.

    `message` is what `Event.message` says of that row. It has no reactions. The balance of user `whose` moved with it.
    """
    assert connection.in_atomic_block
    transaction.on_commit(partial(announce, message))
    moved([whose])


def moved(user_ids: list[int], *, keys: bool = False) -> None:
    """Something of these users' own changes with the caller's transaction: their private streams look after its commit.

    `keys` says that it is their keys, which every process then looks up again.
    """
    if user_ids:
        transaction.on_commit(partial(doorbell.ring, {"users": user_ids, "keys": keys}))


def announce(message: dict[str, Any]) -> None:
    """After commit: overtake the cache and ring the doorbell. Neither can fail the write."""
    cache.overtake(message["market_id"], message["seq"], cache.moved_by(message))
    doorbell.ring(message)


def _follow(event: Event, *, public: bool) -> None:
    """After commit: announce the event if anybody may know of it, and hand its reactions to a worker."""
    if public:
        announce(event.message())
    else:
        cache.overtake(event.market_id, event.seq)
    tasks.send(tasks.react, event.pk)
