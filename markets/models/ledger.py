"""Double-entry bookkeeping in micro-credits: the postings of an entry sum to zero."""

from django.db import models
from django.db.models import Q

from markets.domain.amounts import to_text
from markets.models.fields import USER, check, unique
from markets.models.market import Market


class Account(models.Model):
    """`balance` is the sum of the postings. Only the issuance, the source of grants, may be < 0."""

    class Kind(models.TextChoices):
        ISSUANCE = "issuance"
        MARKET = "market"
        TRADER = "trader"

    kind = models.CharField(max_length=8, choices=Kind.choices)
    market = models.OneToOneField(
        Market, models.PROTECT, null=True, blank=True, related_name="account"
    )
    user = models.OneToOneField(USER, models.PROTECT, null=True, blank=True, related_name="account")
    balance = models.BigIntegerField(default=0)

    class Meta:
        permissions = [("grant_credits", "Can grant credits and take them")]
        constraints = [
            check("account_not_overdrawn", Q(kind="issuance") | Q(balance__gte=0)),
            check(
                "account_has_its_owner",
                Q(kind="issuance", market=None, user=None)
                | Q(kind="market", market__isnull=False, user=None)
                | Q(kind="trader", market=None, user__isnull=False),
            ),
            unique("account_one_issuance", "kind", condition=Q(kind="issuance")),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.market or self.user or ''}".strip()


class JournalEntry(models.Model):
    """One movement of money. An entry is never changed: a reversal is a further entry."""

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
        USER, models.SET_NULL, null=True, blank=True, related_name="+", db_index=False
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
        constraints = [unique("entry_once", "request_key", condition=Q(request_key__isnull=False))]

    def __str__(self) -> str:
        return f"{self.kind} {self.pk}"


class Posting(models.Model):
    """One side of an entry. `balance` is the account's balance after the posting."""

    entry = models.ForeignKey(JournalEntry, models.PROTECT, related_name="postings", db_index=False)
    account = models.ForeignKey(Account, models.PROTECT, related_name="postings", db_index=False)
    amount = models.BigIntegerField()
    balance = models.BigIntegerField()

    class Meta:
        constraints = [
            unique("posting_once", "entry", "account"),
            check("posting_moves_something", ~Q(amount=0)),
        ]
        indexes = [models.Index(fields=["account", "-id"], name="posting_statement")]

    def __str__(self) -> str:
        return f"{self.account}: {to_text(self.amount)}"


class AuditRun(models.Model):
    at = models.DateTimeField()
    breaches = models.JSONField(
        default=list, help_text="[{check, subject, detail}]; empty when all is well."
    )
    checks = models.IntegerField(default=0)
    # micro-credits at that moment; null in audits that did not note them
    issuance = models.BigIntegerField(null=True)
    with_traders = models.BigIntegerField(null=True)
    in_markets = models.BigIntegerField(null=True)

    class Meta:
        verbose_name = "audit"
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M}: {len(self.breaches) or 'no'} breaches"
