"""Money moves here and nowhere else (a trade writes the same rows in its one statement, see `trading`)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser
from django.db import connection, transaction

from markets import events
from markets.amounts import LARGEST
from markets.errors import InsufficientFunds, Invalid, NotFound
from markets.models import Account, JournalEntry, Market, Posting
from markets.pricing import worst_loss
from markets.services import wording
from markets.services.actor import Actor


def issuance() -> Account:
    """Where credits come from."""
    return Account.objects.get_or_create(kind=Account.Kind.ISSUANCE)[0]


def market_account(market: Market) -> Account:
    """The market's account, made when new. The caller holds the market's row lock."""
    return Account.objects.get_or_create(kind=Account.Kind.MARKET, market=market)[0]


def fund(market: Market, *, actor: Actor, now: datetime) -> None:
    """Give a market that opens the subsidy that covers its worst loss. The caller holds the market's row lock."""
    subsidy = worst_loss([outcome.probability for outcome in market.outcomes.all()], market.liquidity)
    amounts = {market_account(market).pk: subsidy, issuance().pk: -subsidy}
    post(JournalEntry.Kind.SUBSIDY, amounts, market=market, actor=actor, now=now)


def open_account(*, user: AbstractBaseUser, now: datetime) -> Account:
    """The trader's account. A new one begins with the starting grant (`STARTING_GRANT`, micro-credits)."""
    known = Account.objects.filter(user_id=user.pk).first()
    if known is not None:
        return known
    with transaction.atomic(durable=True):
        account, created = Account.objects.get_or_create(kind=Account.Kind.TRADER, user_id=user.pk)
        if created and settings.STARTING_GRANT:
            amount = settings.STARTING_GRANT
            post(JournalEntry.Kind.GRANT, {account.pk: amount, issuance().pk: -amount}, now=now, note="Starting grant")
            account.balance = amount
    return account


def grant(*, user: AbstractBaseUser, amount: int, actor: Actor, now: datetime, reason: str) -> JournalEntry:
    """Give (or, with a negative `amount` of micro-credits, take) credits. Raises Invalid, InsufficientFunds."""
    reason = wording.line("reason", reason, most=300)
    if not amount or abs(amount) > LARGEST:
        raise Invalid(amount="Give an amount of credits other than zero.")
    account = open_account(user=user, now=now)
    kind = JournalEntry.Kind.GRANT if amount > 0 else JournalEntry.Kind.DEDUCTION
    with transaction.atomic(durable=True):
        return post(kind, {account.pk: amount, issuance().pk: -amount}, actor=actor, now=now, note=reason)


def post(
    kind: str,
    amounts: Mapping[int, int],
    *,
    now: datetime,
    actor: Actor = None,
    market: Market | None = None,
    note: str = "",
    reverses: JournalEntry | None = None,
) -> JournalEntry:
    """Write an entry inside the caller's transaction: `amounts` are micro-credits by account id, and sum to zero.

    Locks the accounts in the order of their ids. Raises InsufficientFunds before anything is written.
    """
    assert connection.in_atomic_block, "money moves inside the transaction that says why"
    moving = {account_id: amount for account_id, amount in amounts.items() if amount}
    assert sum(moving.values()) == 0, f"an entry must sum to zero: {moving}"
    accounts = list(Account.objects.select_for_update().filter(pk__in=moving).order_by("pk"))
    if len(accounts) < len(moving):
        raise NotFound("account", min(set(moving) - {account.pk for account in accounts}))
    for account in accounts:
        account.balance += moving[account.pk]
        if account.balance < 0 and account.kind != Account.Kind.ISSUANCE:
            raise InsufficientFunds(-moving[account.pk], account.balance - moving[account.pk])
    entry = JournalEntry.objects.create(
        kind=kind, at=now, market=market, actor_id=actor.pk if actor else None, note=note, reverses=reverses
    )
    Account.objects.bulk_update(accounts, ["balance"], batch_size=1000)
    Posting.objects.bulk_create(
        (Posting(entry=entry, account=a, amount=moving[a.pk], balance=a.balance) for a in accounts), batch_size=1000
    )
    events.moved([account.user_id for account in accounts if account.user_id])
    return entry
