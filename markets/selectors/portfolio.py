"""Reads of what belongs to one user."""

from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser
from django.db.models import QuerySet

from markets.models import Account, ApiKey, Position, Posting, Trade


def balance(user: AbstractBaseUser) -> int:
    """Return micro-credits; 0 without an account."""
    return _balance(user) or 0


def spendable(user: AbstractBaseUser) -> int:
    """Return `balance`, or the starting grant before the first trade opens an account."""
    balance = _balance(user)
    return settings.STARTING_GRANT if balance is None else balance


def _balance(user: AbstractBaseUser) -> int | None:
    return Account.objects.filter(user_id=user.pk).values_list("balance", flat=True).first()


def positions(user: AbstractBaseUser) -> QuerySet[Position]:
    """Return all that `present_position` reads."""
    held = Position.objects.filter(trader_id=user.pk).select_related("market", "outcome")
    light = held.defer("market__search_vector", "market__description")
    return light.prefetch_related("market__outcomes")


def trades(user: AbstractBaseUser) -> QuerySet[Trade]:
    return Trade.objects.filter(trader_id=user.pk)


def statement(user: AbstractBaseUser) -> QuerySet[Posting]:
    return Posting.objects.filter(account__user_id=user.pk).select_related("entry")


def keys(user: AbstractBaseUser) -> QuerySet[ApiKey]:
    """Return revoked and expired ones too."""
    return ApiKey.objects.filter(user_id=user.pk)


def holding(user: AbstractBaseUser, outcome_id: int) -> Position:
    return Position.objects.get(trader_id=user.pk, outcome_id=outcome_id)
