"""Money moves here and nowhere else (a trade writes the same rows in its one statement, see `trading`)."""

from collections.abc import Mapping
from datetime import datetime

from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser
from django.db import IntegrityError, connection, transaction

from markets import events
from markets.domain import text
from markets.domain.amounts import LARGEST
from markets.domain.errors import AlreadyDone, InsufficientFunds, Invalid, NotFound
from markets.domain.pricing import worst_loss
from markets.infra.database import busy_when_locked
from markets.models import Account, JournalEntry, Market, Posting
from markets.services.actor import Actor


def issuance() -> Account:
    """Where credits come from."""
    return Account.objects.get_or_create(kind=Account.Kind.ISSUANCE)[0]


def market_account(market: Market) -> Account:
    """The market's account, made when new. The caller holds the market's row lock."""
    return Account.objects.get_or_create(kind=Account.Kind.MARKET, market=market)[0]


def fund(market: Market, *, actor: Actor, now: datetime) -> None:
    """Give a market that opens the subsidy that covers its worst loss. The caller holds the market's row lock."""
    subsidy = worst_loss(
        [outcome.probability for outcome in market.outcomes.all()], market.liquidity
    )
    amounts = {market_account(market).pk: subsidy, issuance().pk: -subsidy}
    post(JournalEntry.Kind.SUBSIDY, amounts, market=market, actor=actor, now=now)


def open_account(*, user: AbstractBaseUser, now: datetime) -> Account:
    """Return the trader's account, made in a transaction of its own when there is none; see `add_account`."""
    known = Account.objects.filter(user_id=user.pk).first()
    if known is not None:
        return known
    with transaction.atomic(durable=True):
        return add_account(user=user, now=now)


def add_account(*, user: AbstractBaseUser, now: datetime) -> Account:
    """Return the trader's account, made inside the caller's transaction when there is none.

    A new one begins with the starting grant (`STARTING_GRANT`, micro-credits).
    """
    account, created = Account.objects.get_or_create(kind=Account.Kind.TRADER, user_id=user.pk)
    if created and settings.STARTING_GRANT:
        amount = settings.STARTING_GRANT
        post(
            JournalEntry.Kind.GRANT,
            {account.pk: amount, issuance().pk: -amount},
            now=now,
            note="Starting grant",
        )
        account.balance = amount
    return account


def grant(
    *,
    user: AbstractBaseUser,
    amount: int,
    actor: Actor,
    now: datetime,
    reason: str,
    request_key: str | None = None,
) -> JournalEntry:
    """Give (or, with a negative `amount` of micro-credits, take) credits.

    `request_key` is of the form that asks: a second grant under the same key raises AlreadyDone. Raise Invalid,
    InsufficientFunds.
    """
    reason = text.line("reason", reason, most=300)
    if not amount or abs(amount) > LARGEST:
        raise Invalid(amount="Give an amount of credits other than zero.")
    account = open_account(user=user, now=now)
    kind = JournalEntry.Kind.GRANT if amount > 0 else JournalEntry.Kind.DEDUCTION
    amounts = {account.pk: amount, issuance().pk: -amount}
    try:
        with transaction.atomic(durable=True):
            return post(kind, amounts, actor=actor, now=now, note=reason, request_key=request_key)
    except IntegrityError as error:
        if "entry_once" in str(error):
            raise AlreadyDone from None
        raise


def post(
    kind: str,
    amounts: Mapping[int, int],
    *,
    now: datetime,
    actor: Actor = None,
    market: Market | None = None,
    note: str = "",
    reverses: JournalEntry | None = None,
    request_key: str | None = None,
) -> JournalEntry:
    """Write an entry inside the caller's transaction: `amounts` are micro-credits by account id, and sum to zero.

    Locks the accounts in the order of their ids. Raise Busy, and InsufficientFunds before anything is written.
    """
    assert connection.in_atomic_block, "money moves inside the transaction that says why"
    moving = {account_id: amount for account_id, amount in amounts.items() if amount}
    assert sum(moving.values()) == 0, f"an entry must sum to zero: {moving}"
    with busy_when_locked():
        accounts = list(Account.objects.select_for_update().filter(pk__in=moving).order_by("pk"))
    if len(accounts) < len(moving):
        raise NotFound("account", min(set(moving) - {account.pk for account in accounts}))
    for account in accounts:
        account.balance += moving[account.pk]
        if account.balance < 0 and account.kind != Account.Kind.ISSUANCE:
            raise InsufficientFunds(-moving[account.pk], account.balance - moving[account.pk])
    entry = JournalEntry.objects.create(
        kind=kind,
        at=now,
        market=market,
        actor_id=actor.pk if actor else None,
        note=note,
        reverses=reverses,
        request_key=request_key,
    )
    Account.objects.bulk_update(accounts, ["balance"], batch_size=1000)
    Posting.objects.bulk_create(
        (Posting(entry=entry, account=a, amount=moving[a.pk], balance=a.balance) for a in accounts),
        batch_size=1000,
    )
    events.stir([account.user_id for account in accounts if account.user_id])
    return entry
