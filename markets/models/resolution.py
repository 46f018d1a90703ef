"""How a market was settled, and whether that still stands."""

from django.conf import settings
from django.db import models
from django.db.models import Q

from markets.models.ledger import JournalEntry
from markets.models.market import Market, Outcome


class Resolution(models.Model):
    """A settlement. A reversed one is kept; at most one stands."""

    market = models.ForeignKey(Market, models.CASCADE, related_name="resolutions")
    evidence_url = models.URLField(max_length=500, blank=True)
    note = models.TextField(blank=True)
    resolved_at = models.DateTimeField()
    resolved_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+"
    )
    entry = models.ForeignKey(
        JournalEntry,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        help_text="What it paid.",
    )
    reversed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["market"], condition=Q(reversed_at=None), name="resolution_one_stands"
            )
        ]

    def __str__(self) -> str:
        return f"{self.market} resolved {self.resolved_at:%Y-%m-%d}"


class Payout(models.Model):
    """What one share of an outcome pays: `weight` millionths of a credit. A resolution's weights sum to a million."""

    resolution = models.ForeignKey(Resolution, models.CASCADE, related_name="payouts")
    outcome = models.ForeignKey(Outcome, models.PROTECT, related_name="+")
    weight = models.BigIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["resolution", "outcome"], name="payout_once"),
            models.CheckConstraint(condition=Q(weight__gt=0), name="payout_weight_positive"),
        ]

    def __str__(self) -> str:
        return f"{self.outcome} pays {self.weight}"
