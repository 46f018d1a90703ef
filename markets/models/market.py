"""Markets, and what belongs to them."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchVectorField
from django.db import models
from django.db.models import F, OuterRef, Q, Subquery, Sum
from django.db.models.functions import Coalesce, Now
from django.urls import reverse

from markets.domain.amounts import MICRO, to_text
from markets.domain.limits import DEFAULT_LIQUIDITY, NAME_LENGTH, SLUG_LENGTH
from markets.domain.pricing import Book
from markets.models.fields import USER, check, unique

if TYPE_CHECKING:
    from markets.models.resolution import Resolution


class Shelf(models.Model):
    """A category or a tag. The slug is its public id and never changes."""

    slug = models.SlugField(max_length=SLUG_LENGTH, unique=True)
    name = models.CharField(max_length=80, unique=True)

    class Meta:
        abstract = True
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class Category(Shelf):
    """A market has at most one category."""

    class Meta(Shelf.Meta):
        verbose_name_plural = "categories"


class Tag(Shelf):
    """A market has any number of tags."""


class Status(models.TextChoices):
    DRAFT = "draft"
    SCHEDULED = "scheduled"
    ACTIVE = "active"
    PAUSED = "paused"
    CLOSED = "closed"
    RESOLVED = "resolved"
    CANCELLED = "cancelled"


class MarketQuerySet(models.QuerySet["Market"]):
    def public(self) -> MarketQuerySet:
        """Return all but drafts and cancelled drafts."""
        return self.filter(public=True)

    def whole(self) -> MarketQuerySet:
        """Load all that `present_market` reads, in a fixed number of statements."""
        day = Now() - timedelta(days=1)
        candles = self.model._meta.apps.get_model("markets", "Candle").objects.filter(
            market=OuterRef("pk"), period=3600, start__gt=day
        )
        total = candles.values("market").annotate(total=Sum("volume")).values("total")
        volume = Subquery(total, output_field=models.BigIntegerField())
        markets = self.annotate(volume_24h=Coalesce(volume, 0)).select_related("category")
        related = markets.prefetch_related("outcomes", "tags", "resolutions__payouts")
        return related.defer("search_vector")


class Market(models.Model):
    """A question, its status, and the totals of its trading. Amounts are in millionths."""

    slug = models.SlugField(max_length=SLUG_LENGTH, unique=True)
    name = models.CharField(max_length=NAME_LENGTH)
    description = models.TextField(blank=True)
    resolution_criteria = models.TextField(blank=True)
    status = models.CharField(max_length=12, choices=Status.choices, default=Status.DRAFT)
    category = models.ForeignKey(
        Category, models.PROTECT, null=True, blank=True, related_name="markets"
    )
    tags = models.ManyToManyField(Tag, blank=True, related_name="markets")
    liquidity = models.BigIntegerField(
        default=DEFAULT_LIQUIDITY, help_text="LMSR's b, in micro-shares."
    )
    price_floor = models.BigIntegerField(
        default=1000,
        help_text="In millionths: no trade takes a price below this, nor above one less this.",
    )
    open_at = models.DateTimeField("opens", null=True, blank=True)
    close_at = models.DateTimeField("closes", null=True, blank=True)
    public = models.BooleanField(
        default=False, help_text="Set when it stops being a draft, and for good."
    )
    public_from = models.BigIntegerField(
        null=True, blank=True, help_text="The `seq` at which its public log begins."
    )
    external_id = models.CharField(max_length=200, unique=True, null=True, blank=True)
    source_url = models.URLField("source", max_length=500, blank=True)

    seq = models.BigIntegerField(
        default=0, help_text="Events so far: gapless, taken under this row's lock."
    )
    version = models.IntegerField(
        default=1, help_text="Rises with every edit by staff; If-Match compares it."
    )
    volume = models.BigIntegerField(default=0)
    trade_count = models.BigIntegerField(default=0)
    trader_count = models.BigIntegerField(default=0)
    # A trade seldom updates these two: they are indexed, and each update of an indexed column
    # writes to every index of the table (see trade_sql).
    ranked_volume = models.BigIntegerField(
        default=0, help_text="The volume for sorting, up to 2 % behind."
    )
    active_at = models.DateTimeField(help_text="The last event for sorting, up to a minute behind.")
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField(help_text="When the last event happened.")
    created_by = models.ForeignKey(USER, models.SET_NULL, null=True, blank=True, related_name="+")
    search_vector = SearchVectorField(null=True, editable=False)

    objects = MarketQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        permissions = [
            ("operate_market", "Can schedule, open, pause and close markets"),
            ("resolve_market", "Can resolve, unresolve and cancel markets"),
            ("import_markets", "Can import markets"),
            ("export_data", "Can build and download reports"),
        ]
        constraints = [
            check("market_status_known", Q(status__in=Status.values)),
            check("market_live_is_public", Q(public=True) | Q(status__in=["draft", "cancelled"])),
            check(
                "market_public_log_begins",
                Q(public=True, public_from__isnull=False) | Q(public=False, public_from=None),
            ),
            check("market_name_not_blank", Q(name__regex=r"\S")),
            check("market_closes_after_it_opens", Q(close_at__gt=F("open_at"))),
            check(
                "market_scheduled_has_open_at", ~Q(status="scheduled") | Q(open_at__isnull=False)
            ),
            check("market_liquidity_positive", Q(liquidity__gt=0)),
            check("market_price_floor_inside", Q(price_floor__gt=0, price_floor__lt=MICRO // 2)),
            check(
                "market_counters_not_negative",
                Q(
                    seq__gte=0,
                    version__gte=1,
                    volume__gte=0,
                    trade_count__gte=0,
                    trader_count__gte=0,
                ),
            ),
        ]
        indexes = [
            models.Index(fields=["status", "-id"], name="market_status"),
            models.Index(F("close_at").asc(nulls_last=True), F("id"), name="market_closing"),
            models.Index(
                fields=["close_at", "id"], condition=Q(status="closed"), name="market_awaiting"
            ),
            models.Index(fields=["-ranked_volume", "-id"], name="market_volume"),
            models.Index(fields=["-active_at", "-id"], name="market_activity"),
            GinIndex(fields=["search_vector"], name="market_search"),
        ]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("market", args=[self.slug])

    def priced(self) -> list[tuple[Outcome, int]]:
        """Return the outcomes in order, each with its price. The prices sum to MICRO."""
        outcomes = list(self.outcomes.all())
        prior, sold = [o.probability for o in outcomes], [o.shares for o in outcomes]
        return list(zip(outcomes, Book(prior, sold, self.liquidity).prices(), strict=True))

    def shown(self, most: int) -> list[tuple[Outcome, int]]:
        """Return the outcomes that stand for the market, at most `most`, each with its price.

        Of two the first, since the other is its mirror image; of many the likeliest.
        """
        priced = self.priced()
        if len(priced) == 2:
            return priced[:1]
        return sorted(priced, key=lambda pair: -pair[1])[:most]

    def leader(self) -> tuple[Outcome, int]:
        """Return the outcome with the highest price, and the price."""
        return max(self.priced(), key=lambda pair: pair[1])

    def standing_resolution(self) -> Resolution | None:
        """Return the resolution that is not reversed, from the prefetched ones if there are any."""
        return next((r for r in self.resolutions.all() if r.reversed_at is None), None)

    def price_texts(self) -> dict[str, str]:
        """Return decimal strings by outcome id."""
        return {str(outcome.pk): to_text(price) for outcome, price in self.priced()}


class Outcome(models.Model):
    market = models.ForeignKey(Market, models.CASCADE, related_name="outcomes", db_index=False)
    position = models.SmallIntegerField()
    label = models.CharField(max_length=120)
    probability = models.BigIntegerField(
        help_text="The prior, in millionths; a market's sum to a million."
    )
    shares = models.BigIntegerField(default=0, help_text="Micro-shares that traders hold.")

    class Meta:
        ordering = ["market_id", "position"]
        constraints = [
            unique(
                "outcome_position_once", "market", "position", deferrable=models.Deferrable.DEFERRED
            ),
            unique("outcome_label_once", "market", "label", deferrable=models.Deferrable.DEFERRED),
            check("outcome_probability_inside", Q(probability__gt=0, probability__lt=MICRO)),
            check("outcome_shares_not_negative", Q(shares__gte=0)),
        ]

    def __str__(self) -> str:
        return self.label


class Word(models.Model):
    """A stem of a market's search vector: mistyped words are corrected to it. Never deleted."""

    text = models.TextField(primary_key=True)

    class Meta:
        indexes = [GinIndex(fields=["text"], opclasses=["gin_trgm_ops"], name="word_similar")]

    def __str__(self) -> str:
        return self.text
