"""Trades, what people hold because of them, and the history of prices."""

from django.conf import settings
from django.db import models
from django.db.models import Q

from markets.models.ledger import JournalEntry
from markets.models.market import Market, Outcome


class Side(models.TextChoices):
    BUY = "buy"
    SELL = "sell"


class Trade(models.Model):
    """An order that was carried out. `cost` is what a buyer paid or a seller got; prices are of the outcome."""

    # No index of their own where one below begins with the column: each would cost every trade, and mislead the planner.
    market = models.ForeignKey(Market, models.PROTECT, related_name="trades", db_index=False)
    outcome = models.ForeignKey(Outcome, models.PROTECT, related_name="trades")
    trader = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, related_name="trades", db_index=False
    )
    side = models.CharField(max_length=4, choices=Side.choices)
    shares = models.BigIntegerField()
    cost = models.BigIntegerField()
    price_before = models.BigIntegerField()
    price_after = models.BigIntegerField()
    seq = models.BigIntegerField(help_text="The market's event that tells of it.")
    at = models.DateTimeField()
    client_order_id = models.CharField(max_length=100)
    request_digest = models.BinaryField(
        max_length=32, help_text="SHA-256 of the order: the same key with another is a conflict."
    )
    entry = models.OneToOneField(JournalEntry, models.PROTECT, related_name="trade")

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["trader", "client_order_id"], name="trade_order_once"),
            models.UniqueConstraint(fields=["market", "seq"], name="trade_seq_once"),
            models.CheckConstraint(
                condition=Q(shares__gt=0, cost__gt=0), name="trade_moves_something"
            ),
        ]
        indexes = [models.Index(fields=["market", "-id"], name="trade_newest")]

    def __str__(self) -> str:
        return f"{self.side} {self.pk}"


class Position(models.Model):
    """What a trader holds of an outcome.

    `net_cost` is all that was paid for it less all that was got for it by selling, `payout` what it settled at.
    """

    trader = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, related_name="positions", db_index=False
    )
    market = models.ForeignKey(Market, models.PROTECT, related_name="positions", db_index=False)
    outcome = models.ForeignKey(Outcome, models.PROTECT, related_name="positions")
    shares = models.BigIntegerField(default=0)
    cost_basis = models.BigIntegerField(
        default=0, help_text="What the shares still held have cost."
    )
    realised = models.BigIntegerField(default=0, help_text="Profit taken by selling.")
    net_cost = models.BigIntegerField(default=0)
    payout = models.BigIntegerField(default=0)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["trader", "outcome"], name="position_once"),
            models.CheckConstraint(
                condition=Q(shares__gte=0, cost_basis__gte=0, payout__gte=0),
                name="position_not_negative",
            ),
        ]
        indexes = [models.Index(fields=["market", "trader"], name="position_of_market")]

    def __str__(self) -> str:
        return f"{self.trader_id} holds {self.shares} of {self.outcome_id}"


class Candle(models.Model):
    """An outcome's price and volume in one minute or hour, rolled up as trades happen. `volume` in micro-credits."""

    class Period(models.IntegerChoices):
        MINUTE = 60
        HOUR = 3600

    market = models.ForeignKey(Market, models.CASCADE, related_name="candles", db_index=False)
    outcome = models.ForeignKey(Outcome, models.CASCADE, related_name="candles", db_index=False)
    period = models.IntegerField(choices=Period.choices)
    start = models.DateTimeField()
    open = models.BigIntegerField()
    high = models.BigIntegerField()
    low = models.BigIntegerField()
    close = models.BigIntegerField()
    volume = models.BigIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["outcome", "period", "start"], name="candle_once")
        ]
        indexes = [models.Index(fields=["market", "period", "start"], name="candle_of_market")]

    def __str__(self) -> str:
        return f"{self.outcome_id} {self.start:%Y-%m-%d %H:%M} {self.close}"
