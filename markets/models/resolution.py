from django.db import models
from django.db.models import Q

from markets.domain.amounts import to_text
from markets.models.fields import USER, check, unique
from markets.models.ledger import JournalEntry
from markets.models.market import Market, Outcome


class Resolution(models.Model):
    """A settlement. Reversed resolutions are kept; a market has at most one that stands."""

    market = models.ForeignKey(Market, models.CASCADE, related_name="resolutions")
    evidence_url = models.URLField(max_length=500, blank=True)
    note = models.TextField(blank=True)
    known_at = models.DateTimeField(
        null=True, blank=True, help_text="When the answer became known in the world."
    )
    resolved_at = models.DateTimeField()
    resolved_by = models.ForeignKey(USER, models.SET_NULL, null=True, blank=True, related_name="+")
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
        constraints = [unique("resolution_one_stands", "market", condition=Q(reversed_at=None))]

    def __str__(self) -> str:
        return f"{self.market} resolved {self.resolved_at:%Y-%m-%d}"


class Proposal(models.Model):
    """A resolution that waits for another person's approval. A market has at most one open."""

    market = models.ForeignKey(Market, models.CASCADE, related_name="proposals")
    payouts = models.JSONField(help_text="[{outcome_id, weight}], the weights as decimal strings.")
    evidence_url = models.URLField(max_length=500, blank=True)
    note = models.TextField(blank=True)
    known_at = models.DateTimeField(null=True, blank=True)
    proposed_by = models.ForeignKey(USER, models.PROTECT, related_name="+")
    proposed_at = models.DateTimeField()
    review_until = models.DateTimeField(help_text="Holders can object until then.")
    decided_by = models.ForeignKey(USER, models.PROTECT, null=True, blank=True, related_name="+")
    decided_at = models.DateTimeField(null=True, blank=True)
    approved = models.BooleanField(default=False)

    class Meta:
        ordering = ["-id"]
        constraints = [unique("proposal_one_open", "market", condition=Q(decided_at=None))]

    def __str__(self) -> str:
        return f"{self.market}: proposed {self.proposed_at:%Y-%m-%d}"


class Objection(models.Model):
    """What somebody who holds shares says against a proposed resolution."""

    proposal = models.ForeignKey(Proposal, models.CASCADE, related_name="objections")
    trader = models.ForeignKey(USER, models.PROTECT, related_name="+")
    text = models.CharField(max_length=1000)
    at = models.DateTimeField()

    class Meta:
        ordering = ["id"]
        constraints = [unique("objection_once", "proposal", "trader")]

    def __str__(self) -> str:
        return f"{self.trader}: {self.text[:40]}"


class Payout(models.Model):
    """A share pays `weight` millionths of a credit. A resolution's weights sum to a million."""

    resolution = models.ForeignKey(Resolution, models.CASCADE, related_name="payouts")
    outcome = models.ForeignKey(Outcome, models.PROTECT, related_name="+")
    weight = models.BigIntegerField()

    class Meta:
        constraints = [
            unique("payout_once", "resolution", "outcome"),
            check("payout_weight_positive", Q(weight__gt=0)),
        ]

    def __str__(self) -> str:
        return f"{self.outcome} pays {to_text(self.weight)}"
