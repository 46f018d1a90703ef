"""Append events inside the transaction of the change; announce them after the commit.

No other module calls `on_commit`.
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

# Transactions that wait for the market's lock already have their ids, and may get the lock in
# another order: an event never has a smaller id than the event before it (selectors/feed.py).
_FEED_TRANSACTION = """greatest(pg_current_xact_id(), (
    SELECT transaction FROM markets_event WHERE market_id = %s AND seq = %s))"""


def record(
    market: Market, payload: Payload, *, actor: AbstractBaseUser | None, now: datetime
) -> None:
    """Append an event with the market's next `seq`; the caller has locked the market's row."""
    assert connection.in_atomic_block, "record() belongs into the transaction of the change"
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
        transaction=RawSQL(_FEED_TRANSACTION, [market.pk, market.seq - 1]),  # noqa: S611
    )
    transaction.on_commit(partial(_announce, present_event(event), public=market.public))
    start_task(broker.REACT, event.pk)


def recorded(message: dict[str, Any], *, trader_id: int) -> None:
    """Announce a trade, written by the caller, as `present_event` returns it."""
    assert connection.in_atomic_block
    transaction.on_commit(partial(_announce, message))
    invalidate_users([trader_id])  # the balance changed


def invalidate_users(user_ids: Collection[int], *, keys: bool = False) -> None:
    """Mark these users' private streams, with `keys` their API keys, as outdated after commit."""
    if user_ids:
        message = {"users": list(user_ids), "keys": keys}
        transaction.on_commit(partial(doorbell.ring, message))


def start_task(task: str, *args: int) -> None:
    transaction.on_commit(partial(broker.start, task, *args))


def _announce(message: dict[str, Any], *, public: bool = True) -> None:
    """Invalidate the cache and ring the doorbell. Neither can fail the write."""
    shared.invalidate(message["market_id"], message["seq"])
    if public:
        doorbell.ring(message)
