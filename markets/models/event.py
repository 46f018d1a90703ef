"""The log of each market."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from markets.models.fields import CurrentTransaction, TransactionIdField, unique
from markets.models.market import Market


class EventQuerySet(models.QuerySet["Event"]):
    def public(self) -> EventQuerySet:
        """Return the events that everybody may read: those since the market became public."""
        return self.filter(market__public=True, seq__gte=F("market__public_from"))


class Event(models.Model):
    """A log entry, written by `events.record` or `trade_sql`. Only `pending` changes later."""

    market = models.ForeignKey(Market, models.CASCADE, related_name="events", db_index=False)
    seq = models.BigIntegerField(help_text="Gapless and strictly increasing within the market.")
    type = models.CharField(max_length=40)
    at = models.DateTimeField()
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        db_index=False,
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
            models.Index(fields=["at"], name="event_at"),
            models.Index(fields=["transaction", "id"], name="event_feed"),
        ]

    def __str__(self) -> str:
        return f"{self.market_id}:{self.seq} {self.type}"
