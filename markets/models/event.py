"""The log of each market, and the cursors of its readers."""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q

from markets.domain.event_types import EventType
from markets.models.fields import USER, CurrentTransaction, TransactionIdField, unique
from markets.models.market import Market


class EventQuerySet(models.QuerySet["Event"]):
    def public(self) -> EventQuerySet:
        """Return those since the market became public."""
        return self.filter(market__public=True, seq__gte=F("market__public_from"))


class Event(models.Model):
    """A log entry, written by `events.record` or `trade_sql`. Only `pending` changes later."""

    market = models.ForeignKey(Market, models.CASCADE, related_name="events", db_index=False)
    seq = models.BigIntegerField(help_text="Gapless and strictly increasing within the market.")
    type = models.CharField(max_length=40)
    at = models.DateTimeField()
    actor = models.ForeignKey(
        USER, models.SET_NULL, null=True, blank=True, related_name="+", db_index=False
    )
    payload = models.JSONField(default=dict)
    prices = models.JSONField(
        default=dict, help_text="Each outcome's price after the event, as a decimal string."
    )
    request_id = models.CharField(max_length=64, blank=True)
    transaction = TransactionIdField(
        db_default=CurrentTransaction(),
        help_text="Of what wrote it or its predecessor: with the id, the order to read in.",
    )
    pending = models.BooleanField(
        default=True, help_text="Reactions (notifications, search index) are still to come."
    )

    objects = EventQuerySet.as_manager()

    class Meta:
        ordering = ["market_id", "seq"]
        constraints = [unique("event_seq_once", "market", "seq")]
        indexes = [
            models.Index(fields=["id"], condition=Q(pending=True), name="event_pending"),
            models.Index(fields=["transaction", "id"], name="event_feed"),
            # a market's timeline; a trade's event is not in it, and costs nothing
            models.Index(
                fields=["market", "-seq"],
                condition=~Q(type=EventType.TRADE),
                name="event_timeline",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.market_id}:{self.seq} {self.type}"


class FeedCursor(models.Model):
    """A reader of the feed (`selectors/feed.py`), and the last event that it has processed."""

    name = models.CharField(max_length=40, primary_key=True)
    transaction = TransactionIdField(default=0)
    event = models.BigIntegerField(default=0, help_text="The event's id.")

    def __str__(self) -> str:
        return f"{self.name} at {self.transaction}.{self.event}"

    @property
    def reached(self) -> tuple[int, int]:
        return self.transaction, self.event

    @reached.setter
    def reached(self, cursor: tuple[int, int]) -> None:
        self.transaction, self.event = cursor
