"""What a trader has: balance, holdings, statement."""

from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser
from django.db.models import QuerySet

from markets.models import Account, ApiKey, Position, Posting, Trade


def balance(user: AbstractBaseUser) -> int:
    """Return the micro-credits that were posted to the trader's account; 0 while they have none."""
    return _held(user) or 0


def spendable(user: AbstractBaseUser) -> int:
    """Return the micro-credits that the trader can spend: before their first trade, the grant that an account begins with."""
    held = _held(user)
    return settings.STARTING_GRANT if held is None else held


def _held(user: AbstractBaseUser) -> int | None:
    return Account.objects.filter(user_id=user.pk).values_list("balance", flat=True).first()


def positions(user: AbstractBaseUser) -> QuerySet[Position]:
    """Return the trader's positions with their markets, for `present_position`."""
    held = Position.objects.filter(trader_id=user.pk).select_related("market", "outcome")
    return held.prefetch_related("market__outcomes").defer(
        "market__search_vector", "market__description"
    )


def trades(user: AbstractBaseUser) -> QuerySet[Trade]:
    """Return the trader's trades."""
    return Trade.objects.filter(trader_id=user.pk)


def statement(user: AbstractBaseUser) -> QuerySet[Posting]:
    """Return every movement of the trader's money."""
    return Posting.objects.filter(account__user_id=user.pk).select_related("entry")


def keys(user: AbstractBaseUser) -> QuerySet[ApiKey]:
    """Return the user's API keys, those that ended included."""
    return ApiKey.objects.filter(user_id=user.pk)


def holding(user: AbstractBaseUser, outcome_id: int) -> Position:
    """Return what the trader holds of an outcome that they have traded."""
    return Position.objects.get(trader_id=user.pk, outcome_id=outcome_id)
