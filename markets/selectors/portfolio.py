"""Reads of what belongs to one user."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from typing import Final, NamedTuple

from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import AnonymousUser
from django.db.models import F, Q, QuerySet, Sum

from markets.models import Account, ApiKey, Market, Position, Posting, Status, Trade

SETTLED: Final = (Status.RESOLVED, Status.CANCELLED)


class Totals(NamedTuple):
    """Of all positions of a user, in micro-credits."""

    invested: int  # what the shares in markets that are not settled have cost
    profit: int  # taken by selling and paid by resolutions, less what those shares had cost


def balance(user: AbstractBaseUser) -> int:
    """Return micro-credits; 0 without an account."""
    return _balance(user) or 0


def spendable(user: AbstractBaseUser | AnonymousUser) -> int:
    """Return `balance`, or the starting grant before the first trade opens an account."""
    balance = _balance(user)
    return settings.STARTING_GRANT if balance is None else balance


def _balance(user: AbstractBaseUser | AnonymousUser) -> int | None:
    found = Account.objects.filter(user=user.pk or 0)
    return found.values_list("balance", flat=True).first()


def positions(user: AbstractBaseUser) -> QuerySet[Position]:
    """Return all that `present_position` reads."""
    held = Position.objects.filter(trader_id=user.pk).select_related("market", "outcome")
    light = held.defer("market__search_vector", "market__description")
    return light.prefetch_related("market__outcomes")


def open_positions(user: AbstractBaseUser) -> QuerySet[Position]:
    """Return those with shares in markets that are not settled."""
    return positions(user).filter(shares__gt=0).exclude(market__status__in=SETTLED)


def settled_markets(user: AbstractBaseUser) -> QuerySet[Market]:
    """Return the settled ones that the user has traded in, with what they paid."""
    traded = Market.objects.filter(
        pk__in=Position.objects.filter(trader_id=user.pk).values("market")
    )
    light = traded.filter(status__in=SETTLED).defer("search_vector", "description")
    return light.prefetch_related("outcomes", "resolutions__payouts")


def totals(user: AbstractBaseUser) -> Totals:
    """Return the same figures as the positions' own, added up by the database."""
    settled = Q(market__status__in=SETTLED)
    sums = Position.objects.filter(trader_id=user.pk).aggregate(
        invested=Sum("cost_basis", filter=~settled, default=0),
        sold=Sum("realised", default=0),
        paid=Sum(F("payout") - F("cost_basis"), filter=Q(market__status="resolved"), default=0),
    )
    return Totals(sums["invested"], sums["sold"] + sums["paid"])


def trades(user: AbstractBaseUser) -> QuerySet[Trade]:
    return Trade.objects.filter(trader_id=user.pk)


def statement(user: AbstractBaseUser) -> QuerySet[Posting]:
    return Posting.objects.filter(account__user_id=user.pk).select_related("entry")


def told_postings() -> QuerySet[Posting]:
    """Return everybody's, with the markets and trades that a statement tells of."""
    told = Posting.objects.select_related("entry__market", "entry__trade__outcome")
    texts = ("description", "resolution_criteria", "search_vector")
    return told.defer(*(f"entry__market__{text}" for text in texts))


def told_statement(user: AbstractBaseUser) -> QuerySet[Posting]:
    return told_postings().filter(account__user_id=user.pk)


def keys(user: AbstractBaseUser) -> QuerySet[ApiKey]:
    """Return revoked and expired ones too."""
    return ApiKey.objects.filter(user_id=user.pk)


def live_keys(user: AbstractBaseUser, *, now: datetime) -> QuerySet[ApiKey]:
    return ApiKey.objects.live(now).filter(user_id=user.pk)


def holding(user: AbstractBaseUser, outcome_id: int) -> Position:
    return Position.objects.get(trader_id=user.pk, outcome_id=outcome_id)


class Held(NamedTuple):
    """A trader's positions in one market."""

    positions: list[Position]  # with shares
    paid: int  # micro-credits, by the resolution or the cancellation
    cost: int  # micro-credits: all purchases less all sales

    @property
    def profit(self) -> int:
        """Return what a settlement earned, in micro-credits."""
        return self.paid - self.cost


def in_market(user: AbstractBaseUser | AnonymousUser, market: Market) -> Held | None:
    """Return None for somebody who never traded here."""
    return in_markets(user, [market]).get(market.pk) if user.is_authenticated else None


def in_markets(
    user: AbstractBaseUser | AnonymousUser, markets: Iterable[Market]
) -> dict[int, Held]:
    """Return what a trader holds and held, by market id."""
    by_id = {market.pk: market for market in markets}
    found = Position.objects.filter(trader_id=user.pk, market__in=by_id).select_related("outcome")
    grouped = defaultdict[int, list[Position]](list)
    for position in found.order_by("outcome__position"):
        position.market = by_id[position.market_id]  # with what the caller has loaded of it
        grouped[position.market_id].append(position)
    held = {}
    for pk, positions in grouped.items():
        cost = sum(position.net_cost for position in positions)
        paid = sum(position.payout for position in positions)
        if by_id[pk].status == Status.CANCELLED:
            paid = max(0, cost)  # the refund
        held[pk] = Held([position for position in positions if position.shares], paid, cost)
    return held


def trade_of_order(user: AbstractBaseUser, client_order_id: str) -> Trade | None:
    return Trade.objects.filter(trader_id=user.pk, client_order_id=client_order_id).first()
