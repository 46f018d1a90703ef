"""Journal entries, accounts and their audit. Only `trade_sql` writes these rows elsewhere."""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime

from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser
from django.db import IntegrityError, connection, transaction

from markets import events
from markets.domain import text
from markets.domain.amounts import LARGEST_AMOUNT
from markets.domain.errors import AlreadyDone, InsufficientFunds, Invalid, NotFound
from markets.domain.limits import REASON_LENGTH
from markets.domain.pricing import worst_loss
from markets.infra.database import busy_when_locked, one_snapshot
from markets.models import Account, AuditRun, JournalEntry, Market, Posting
from markets.selectors import audit
from markets.services import Actor


def issuance() -> Account:
    """Return the source of all credits."""
    return Account.objects.get_or_create(kind=Account.Kind.ISSUANCE)[0]


def market_account(market: Market) -> Account:
    """Return the account, created when new. The caller holds the market's row lock."""
    return Account.objects.get_or_create(kind=Account.Kind.MARKET, market=market)[0]


def fund(market: Market, *, actor: Actor, now: datetime) -> None:
    """Pay the subsidy that covers the worst loss. The caller holds the market's row lock."""
    prior = [outcome.probability for outcome in market.outcomes.all()]
    subsidy = worst_loss(prior, market.liquidity)
    amounts = {market_account(market).pk: subsidy, issuance().pk: -subsidy}
    post(JournalEntry.Kind.SUBSIDY, amounts, market=market, actor=actor, now=now)


def open_account(*, user: AbstractBaseUser, now: datetime) -> Account:
    """Return the trader's account, created in a transaction of its own when new."""
    if known := Account.objects.filter(user_id=user.pk).first():
        return known
    with transaction.atomic(durable=True):
        return add_account(user=user, now=now)


def add_account(*, user: AbstractBaseUser, now: datetime) -> Account:
    """Return the trader's account, created with its starting grant in the caller's transaction."""
    account, created = Account.objects.get_or_create(kind=Account.Kind.TRADER, user_id=user.pk)
    if created and (amount := settings.STARTING_GRANT):
        amounts = {account.pk: amount, issuance().pk: -amount}
        post(JournalEntry.Kind.GRANT, amounts, now=now, note="Starting grant")
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
    """Give `amount` micro-credits to a trader, or take them if it is negative.

    `request_key` identifies the submitted form. Raise AlreadyDone for a second grant with it,
    Invalid, InsufficientFunds.
    """
    reason = text.line("reason", reason, most=REASON_LENGTH)
    check_grant(amount)
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


def check_grant(amount: int, available: int | None = None) -> None:
    """Raise Invalid or, for a trader with `available` micro-credits, InsufficientFunds."""
    if not amount or abs(amount) > LARGEST_AMOUNT:
        raise Invalid(amount="Give an amount of credits other than zero.")
    if available is not None and available + amount < 0:
        raise InsufficientFunds(-amount, available)


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
    """Write an entry inside the caller's transaction: micro-credits by account id, sum zero.

    Accounts are locked in the order of their ids. Raise Busy, NotFound, InsufficientFunds before
    anything is written.
    """
    assert connection.in_atomic_block, "an entry is part of the transaction that explains it"
    amounts = {account_id: amount for account_id, amount in amounts.items() if amount}
    assert sum(amounts.values()) == 0, f"an entry must sum to zero: {amounts}"
    with busy_when_locked():
        accounts = list(Account.objects.select_for_update().filter(pk__in=amounts).order_by("pk"))
    if missing := set(amounts) - {account.pk for account in accounts}:
        raise NotFound("account", min(missing))
    for account in accounts:
        available, account.balance = account.balance, account.balance + amounts[account.pk]
        if account.balance < 0 and account.kind != Account.Kind.ISSUANCE:
            raise InsufficientFunds(-amounts[account.pk], available)
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
    postings = (
        Posting(entry=entry, account=a, amount=amounts[a.pk], balance=a.balance) for a in accounts
    )
    Posting.objects.bulk_create(postings, batch_size=1000)
    events.invalidate_users([account.user_id for account in accounts if account.user_id])
    return entry


def audit_ledger(*, now: datetime) -> AuditRun:
    """Audit the database in one snapshot and store the result."""
    with one_snapshot():
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL statement_timeout = 0")
        breaches = [asdict(breach) for breach in audit.breaches()]
        held = audit.balances()
        return AuditRun.objects.create(
            at=now,
            checks=len(audit.CHECKS),
            breaches=breaches,
            issuance=held[Account.Kind.ISSUANCE],
            with_traders=held[Account.Kind.TRADER],
            in_markets=held[Account.Kind.MARKET],
        )
