"""Appends events inside the transaction that makes the change, and starts what follows after its commit.

`on_commit` stands here and nowhere else.
"""

from collections.abc import Collection
from datetime import datetime
from functools import partial
from typing import Any

from django.contrib.auth.base_user import AbstractBaseUser
from django.db import connection, transaction
from django.db.models.expressions import RawSQL

from markets.caching import shared
from markets.events.payloads import Payload
from markets.infra import broker
from markets.infra.request_context import current_request_id
from markets.live import doorbell
from markets.models import Event, Market
from markets.presenters.event import present_event

# Two who wait for the market have their transactions' ids already, and may get the lock in the other order (selectors/feed.py).
_FEED_TRANSACTION = """greatest(pg_current_xact_id(), (
    SELECT transaction FROM markets_event WHERE market_id = %s AND seq = %s))"""


def record(
    market: Market, payload: Payload, *, actor: AbstractBaseUser | None, now: datetime
) -> Event:
    """Append an event with the market's next `seq` and return it.

    The caller holds the market's row lock (or has just inserted the row) inside a transaction.
    """
    assert connection.in_atomic_block, "record() belongs into the transaction that makes the change"
    market.seq += 1
    market.updated_at = market.active_at = now
    market.save(update_fields=["seq", "updated_at", "active_at"])
    event = Event.objects.create(
        market=market,
        seq=market.seq,
        type=payload.kind,
        at=now,
        actor_id=actor.pk if actor else None,
        payload=payload.as_json(),
        prices=market.price_texts(),
        request_id=current_request_id(),
        transaction=RawSQL(_FEED_TRANSACTION, [market.pk, market.seq - 1]),  # noqa: S611  (a constant text)
    )
    transaction.on_commit(partial(_follow, event, public=market.public))
    start_task(broker.REACT, event.pk)
    return event


def recorded(message: dict[str, Any], *, trader_id: int) -> None:
    """Announce after commit an event whose row the caller's own statement wrote: a trade.

    `message` is what `present_event` says of that row. The trader's balance changed with it.
    """
    assert connection.in_atomic_block
    transaction.on_commit(partial(announce, message))
    stir([trader_id])


def stir(user_ids: Collection[int], *, keys: bool = False) -> None:
    """Tell the private streams of these users, after commit, that something of their own changed.

    `keys` says that it was their API keys: every process then looks them up again.
    """
    if user_ids:
        message = {"users": list(user_ids), "keys": keys}
        transaction.on_commit(partial(doorbell.ring, message))


def start_task(task: str, *args: int) -> None:
    """Hand the task of this name to a worker after commit."""
    transaction.on_commit(partial(broker.start, task, *args))


def announce(message: dict[str, Any]) -> None:
    """Invalidate what the caches hold of the market and ring the doorbell. Neither can fail the write."""
    shared.invalidate(message["market_id"], message["seq"])
    doorbell.ring(message)


def _follow(event: Event, *, public: bool) -> None:
    """After commit: announce the event if the public may know of it; otherwise only invalidate."""
    if public:
        announce(present_event(event))
    else:
        shared.invalidate(event.market_id, event.seq)
