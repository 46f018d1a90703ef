"""Money, in double entry. Amounts are micro-credits; the postings of an entry sum to zero."""

from django.conf import settings
from django.db import models
from django.db.models import Q

from markets.models.market import Market


class Account(models.Model):
    """Whose money it is. `balance` is the sum of its postings; only the issuance may be below zero: credits come from there."""

    class Kind(models.TextChoices):
        ISSUANCE = "issuance"
        MARKET = "market"
        TRADER = "trader"

    kind = models.CharField(max_length=8, choices=Kind.choices)
    market = models.OneToOneField(
        Market, models.PROTECT, null=True, blank=True, related_name="account"
    )
    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="account"
    )
    balance = models.BigIntegerField(default=0)

    class Meta:
        permissions = [("grant_credits", "Can grant credits and take them")]
        constraints = [
            models.CheckConstraint(
                condition=Q(kind="issuance") | Q(balance__gte=0), name="account_not_overdrawn"
            ),
            models.CheckConstraint(
                condition=Q(kind="issuance", market=None, user=None)
                | Q(kind="market", market__isnull=False, user=None)
                | Q(kind="trader", market=None, user__isnull=False),
                name="account_has_its_owner",
            ),
            models.UniqueConstraint(
                fields=["kind"], condition=Q(kind="issuance"), name="account_one_issuance"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.market or self.user or ''}".strip()


class JournalEntry(models.Model):
    """One movement of money and why. An entry is never changed; a reversal is an entry of its own."""

    class Kind(models.TextChoices):
        GRANT = "grant"
        DEDUCTION = "deduction"
        SUBSIDY = "subsidy"
        TRADE = "trade"
        PAYOUT = "payout"
        REFUND = "refund"
        REVERSAL = "reversal"

    kind = models.CharField(max_length=9, choices=Kind.choices)
    at = models.DateTimeField()
    market = models.ForeignKey(
        Market, models.PROTECT, null=True, blank=True, related_name="entries"
    )
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        db_index=False,
    )
    note = models.CharField(max_length=300, blank=True)
    request_key = models.CharField(
        max_length=80,
        null=True,
        blank=True,
        help_text="Of the form that asked for it: it acts once.",
    )
    reverses = models.OneToOneField(
        "self", models.PROTECT, null=True, blank=True, related_name="reversed_by"
    )

    class Meta:
        verbose_name_plural = "journal entries"
        constraints = [
            models.UniqueConstraint(
                fields=["request_key"], condition=Q(request_key__isnull=False), name="entry_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.pk}"


class Posting(models.Model):
    """One side of an entry. `balance` is the account's balance after it."""

    entry = models.ForeignKey(JournalEntry, models.PROTECT, related_name="postings", db_index=False)
    account = models.ForeignKey(Account, models.PROTECT, related_name="postings", db_index=False)
    amount = models.BigIntegerField()
    balance = models.BigIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["entry", "account"], name="posting_once"),
            models.CheckConstraint(condition=~Q(amount=0), name="posting_moves_something"),
        ]
        indexes = [models.Index(fields=["account", "-id"], name="posting_statement")]

    def __str__(self) -> str:
        return f"{self.account_id}: {self.amount}"


class AuditRun(models.Model):
    """What the audit of the whole ledger found."""

    at = models.DateTimeField()
    breaches = models.JSONField(
        default=list, help_text="[{check, subject, detail}]; empty when all is well."
    )
    checks = models.IntegerField(default=0)

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M}: {len(self.breaches) or 'no'} breaches"
