"""Trades, positions, the history of prices, and the totals of each day."""

from django.db import models
from django.db.models import Q

from markets.domain.amounts import to_text
from markets.models.fields import USER, check, unique
from markets.models.ledger import JournalEntry
from markets.models.market import Market, Outcome


class Side(models.TextChoices):
    BUY = "buy"
    SELL = "sell"


class Trade(models.Model):
    """An executed order. `cost` is what the buyer paid or the seller received, never negative."""

    # no index where one below begins with the same column: it slows trades and misleads the planner
    market = models.ForeignKey(Market, models.PROTECT, related_name="trades", db_index=False)
    outcome = models.ForeignKey(Outcome, models.PROTECT, related_name="trades")
    trader = models.ForeignKey(USER, models.PROTECT, related_name="trades", db_index=False)
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
            unique("trade_order_once", "trader", "client_order_id"),
            unique("trade_seq_once", "market", "seq"),
            check("trade_moves_something", Q(shares__gt=0, cost__gt=0)),
        ]
        indexes = [models.Index(fields=["market", "-id"], name="trade_newest")]

    def __str__(self) -> str:
        return f"{self.side} {self.pk}"


class Position(models.Model):
    """A trader's shares of an outcome. `net_cost` is all purchases less all sales."""

    trader = models.ForeignKey(USER, models.PROTECT, related_name="positions", db_index=False)
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
            unique("position_once", "trader", "outcome"),
            check("position_not_negative", Q(shares__gte=0, cost_basis__gte=0, payout__gte=0)),
        ]
        indexes = [models.Index(fields=["market", "trader"], name="position_of_market")]

    def __str__(self) -> str:
        return f"{self.trader} holds {to_text(self.shares)} of {self.outcome}"


class Candle(models.Model):
    """An outcome's prices in one minute or hour, kept by each trade. `volume` in micro-credits."""

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
        constraints = [unique("candle_once", "outcome", "period", "start")]
        indexes = [models.Index(fields=["market", "period", "start"], name="candle_of_market")]

    def __str__(self) -> str:
        return f"{self.outcome_id} {self.start:%Y-%m-%d %H:%M} {self.close}"


class DayTotal(models.Model):
    """All trades of a day in UTC, as far as `react_to_trades` has read. `volume`: micro-credits."""

    day = models.DateField(unique=True)
    trades = models.BigIntegerField()
    volume = models.BigIntegerField()
    traders = models.BigIntegerField()

    class Meta:
        ordering = ["-day"]

    def __str__(self) -> str:
        return f"{self.day}: {self.trades} trades"


class DayTrader(models.Model):
    """Somebody traded on a day: so `DayTotal.traders` counts them once. Kept for a few days."""

    day = models.DateField()
    trader = models.ForeignKey(USER, models.CASCADE, related_name="+", db_index=False)

    class Meta:
        constraints = [unique("day_trader_once", "day", "trader")]

    def __str__(self) -> str:
        return f"{self.trader_id} on {self.day}"
