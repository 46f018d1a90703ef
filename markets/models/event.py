"""The log: what happened to each market, in order."""

from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import Q

from markets.models.market import Market


class Event(models.Model):
    """One fact about a market. Written by `events.record` alone, and never changed but for `pending`."""

    market = models.ForeignKey(Market, models.CASCADE, related_name="events", db_index=False)
    seq = models.BigIntegerField(help_text="Gapless and strictly increasing within the market.")
    type = models.CharField(max_length=40)
    at = models.DateTimeField()
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+", db_index=False
    )
    payload = models.JSONField(default=dict)
    prices = models.JSONField(default=dict, help_text="Each outcome's price after the event, as a decimal string.")
    request_id = models.CharField(max_length=64, blank=True)
    pending = models.BooleanField(default=True, help_text="Reactions (notifications, search index) are still to come.")

    class Meta:
        ordering = ["market_id", "seq"]
        constraints = [models.UniqueConstraint(fields=["market", "seq"], name="event_seq_once")]
        indexes = [
            models.Index(fields=["id"], condition=Q(pending=True), name="event_pending"),
            models.Index(fields=["at"], name="event_at"),
        ]

    def __str__(self) -> str:
        return f"{self.market_id}:{self.seq} {self.type}"

    def message(self) -> dict[str, Any]:
        """The object that streams, webhooks and the API show. It never names who did it."""
        return {
            "type": self.type,
            "market_id": self.market_id,
            "seq": self.seq,
            "at": self.at.isoformat().replace("+00:00", "Z"),
            **self.payload,
            "prices": self.prices,
        }
