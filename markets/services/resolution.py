"""Resolve a market, take the resolution back, and cancel a market."""

from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from typing import cast

from django.conf import settings
from django.db import transaction
from django.db.models import F, Sum

from markets.domain import limits, text
from markets.domain.amounts import MICRO, to_text
from markets.domain.errors import Forbidden, Invalid, PayoutSpent, unknown_outcome
from markets.domain.orders import Reversal, Settlement
from markets.models import Account, JournalEntry, Market, Payout, Position, Resolution
from markets.services import Actor, ledger, lifecycle


def resolve_market(
    *,
    market_id: int,
    actor: Actor,
    now: datetime,
    weights: Mapping[int, int],
    evidence_url: str = "",
    note: str = "",
    known_at: datetime | None = None,
    expected_version: int | None = None,
    expected_seq: int | None = None,
    approved: bool = False,
) -> Market:
    """Pay `weights[id]` millionths of a credit for a share of outcome `id`; they sum to a million.

    Each holding is paid rounded down, and the rest of the market's money returns to the issuance.
    `known_at` is when the answer became known in the world. Raise Invalid, NotFound, Busy,
    IllegalTransition, VersionConflict, PreviewOutdated; Forbidden unless `approved`, where two
    people resolve (`services/proposals.py`).
    """
    if settings.RESOLUTION_REVIEW_HOURS is not None and not approved:
        raise Forbidden("Two people resolve a market here: one proposes, another one approves.")
    payouts = [{"outcome_id": pk, "weight": to_text(w)} for pk, w in weights.items() if w]
    moving = lifecycle.moving(
        "resolve", market_id, expected_version, actor, now,
        expected_seq=expected_seq, payouts=payouts,
    )  # fmt: skip
    with moving as market:
        check_known(known_at, now)
        paying = paying_weights(market, weights)
        settlement = _settlement(market, paying)
        resolution = Resolution.objects.create(
            market=market,
            evidence_url=text.link("evidence_url", evidence_url),
            note=text.body("note", note),
            known_at=known_at,
            resolved_at=now,
            resolved_by_id=actor.pk if actor else None,
            entry=_pay(market, settlement, JournalEntry.Kind.PAYOUT, actor, now),
        )
        for pk, weight in paying.items():
            market.positions.filter(outcome_id=pk).update(payout=F("shares") * weight / MICRO)
        Payout.objects.bulk_create(
            Payout(resolution=resolution, outcome_id=pk, weight=w) for pk, w in paying.items()
        )
        decide(market, actor, now, approved=True)
    return market


def preview_resolution(*, market_id: int, weights: Mapping[int, int]) -> Settlement:
    """Return what `resolve_market` would pay now. Raise as it does."""
    with transaction.atomic(durable=True):
        market = lifecycle.lock(market_id, verb="resolve")
        return _settlement(market, paying_weights(market, weights))


def unresolve_market(
    *,
    market_id: int,
    actor: Actor,
    now: datetime,
    note: str = "",
    grant_lacking: bool = False,
    expected_version: int | None = None,
    expected_seq: int | None = None,
) -> Market:
    """Reverse the postings of the resolution and return the market to closed.

    Raise PayoutSpent when traders lack what they were paid, unless `grant_lacking` grants it to
    them first. Raise also NotFound, Busy, IllegalTransition, VersionConflict, PreviewOutdated.
    """
    note = text.body("note", note)
    moving = lifecycle.moving(
        "unresolve", market_id, expected_version, actor, now,
        expected_seq=expected_seq, note=note or None,
    )  # fmt: skip
    with moving as market:
        resolution = _standing(market)
        if resolution.entry is not None:
            if grant_lacking:
                _grant_lacking(market, resolution.entry, actor=actor, now=now)
            _reverse(market, resolution.entry, actor=actor, now=now)
        market.positions.update(payout=0)
        market.resolutions.filter(pk=resolution.pk).update(reversed_at=now)
    return market


def preview_unresolution(*, market_id: int) -> Reversal:
    """Return what `unresolve_market` would take back now, and who lacks how much of it."""
    with transaction.atomic(durable=True):
        market = lifecycle.lock(market_id, verb="unresolve")
        entry = _standing(market).entry
        return _reversal(entry) if entry else Reversal({}, {}, 0)


def cancel_market(
    *,
    market_id: int,
    actor: Actor,
    now: datetime,
    expected_version: int | None = None,
    expected_seq: int | None = None,
    note: str = "",
) -> Market:
    """Refund to each trader the amount paid in beyond the amount got out.

    A trader who got out more than that keeps it. The issuance pays what the market's account lacks.
    Raise Invalid, NotFound, Busy, IllegalTransition, VersionConflict, PreviewOutdated.
    """
    moving = lifecycle.moving(
        "cancel", market_id, expected_version, actor, now, expected_seq=expected_seq, note=note
    )
    with moving as market:
        text.body("note", note)
        _pay(market, _refunds(market), JournalEntry.Kind.REFUND, actor, now)
        decide(market, actor, now, approved=False)
    return market


def preview_cancellation(*, market_id: int) -> Settlement:
    """Return what `cancel_market` would refund now. Raise as it does."""
    with transaction.atomic(durable=True):
        return _refunds(lifecycle.lock(market_id, verb="cancel"))


def _refunds(market: Market) -> Settlement:
    by_trader = market.positions.order_by().values("trader").annotate(net=Sum("net_cost"))
    refunds = dict(by_trader.filter(net__gt=0).values_list("trader", "net"))
    return Settlement(refunds, _balance(market) - sum(refunds.values()))


def _standing(market: Market) -> Resolution:
    return market.resolutions.select_related("entry").get(reversed_at=None)


def check_known(known_at: datetime | None, now: datetime) -> None:
    """Raise Invalid unless the answer can have become known then."""
    if known_at is not None and not (known_at.year >= limits.FIRST_YEAR and known_at <= now):
        raise Invalid(known_at=f"Give a time between {limits.FIRST_YEAR} and now.")


def decide(market: Market, actor: Actor, now: datetime, *, approved: bool) -> None:
    """End the market's open proposal, if there is one. The caller holds the market's row lock."""
    pk = actor.pk if actor else None
    market.proposals.filter(decided_at=None).update(
        decided_at=now, decided_by_id=pk, approved=approved
    )


def paying_weights(market: Market, weights: Mapping[int, int]) -> dict[int, int]:
    """Return the weights that are not zero. Raise Invalid."""
    known = sorted(market.outcomes.values_list("pk", flat=True))
    if unknown := set(weights).difference(known):
        raise unknown_outcome(min(unknown), known)
    total = sum(weights.values())
    if total != MICRO or min(weights.values()) < 0:
        message = f"The weights sum to {to_text(total)}; they must be positive and sum to 1."
        raise Invalid(payouts=message)
    return {pk: weight for pk, weight in weights.items() if weight}


def _balance(market: Market) -> int:
    account = Account.objects.filter(market=market).first()
    return account.balance if account else 0


def _settlement(market: Market, paying: Mapping[int, int]) -> Settlement:
    """Round each holding's payout down."""
    payouts: Counter[int] = Counter()
    holdings = Position.objects.filter(market=market, outcome__in=paying, shares__gt=0)
    for trader_id, outcome_id, shares in holdings.values_list("trader_id", "outcome_id", "shares"):
        payouts[trader_id] += shares * paying[outcome_id] // MICRO
    return Settlement(dict(payouts), _balance(market) - payouts.total())


def _pay(
    market: Market, settlement: Settlement, kind: str, actor: Actor, now: datetime
) -> JournalEntry | None:
    """Empty the market's account as the settlement says. Return None when no money moves."""
    payouts = settlement.payouts
    accounts = dict(Account.objects.filter(user__in=payouts).values_list("user_id", "pk"))
    amounts = {accounts[user_id]: amount for user_id, amount in payouts.items()}
    if not settlement.returned and not any(amounts.values()):
        return None
    amounts[ledger.market_account(market).pk] = -sum(amounts.values()) - settlement.returned
    amounts[ledger.issuance().pk] = settlement.returned
    return ledger.post(kind, amounts, market=market, actor=actor, now=now)


def _reversal(entry: JournalEntry) -> Reversal:
    """Return what the reversal of an entry takes. The caller holds the market's row lock."""
    postings = entry.postings.filter(account__kind=Account.Kind.TRADER)
    paid = {posting.account_id: posting.amount for posting in postings}
    accounts = Account.objects.select_for_update().filter(pk__in=paid).order_by("pk")
    taken: dict[int, int] = {}
    lacking: dict[int, int] = {}
    for account in accounts:
        trader_id = cast(int, account.user_id)
        taken[trader_id] = paid[account.pk]
        if account.balance < paid[account.pk]:
            lacking[trader_id] = paid[account.pk] - account.balance
    issued = entry.postings.filter(account__kind=Account.Kind.ISSUANCE).first()
    return Reversal(taken, lacking, issued.amount if issued else 0)


def _reverse(market: Market, entry: JournalEntry, *, actor: Actor, now: datetime) -> None:
    if lacking := _reversal(entry).lacking:
        raise PayoutSpent(lacking)
    amounts = {posting.account_id: -posting.amount for posting in entry.postings.all()}
    kind = JournalEntry.Kind.REVERSAL
    ledger.post(kind, amounts, market=market, actor=actor, now=now, reverses=entry)


def _grant_lacking(market: Market, entry: JournalEntry, *, actor: Actor, now: datetime) -> None:
    """Grant what traders lack for the reversal of an entry."""
    lacking = _reversal(entry).lacking
    if lacking:
        accounts = Account.objects.filter(user__in=lacking).values_list("user_id", "pk")
        amounts = {pk: lacking[user_id] for user_id, pk in accounts}
        amounts[ledger.issuance().pk] = -sum(lacking.values())
        note = f"What was lacking to unresolve market {market.pk}"
        kind = JournalEntry.Kind.GRANT
        ledger.post(kind, amounts, market=market, actor=actor, now=now, note=note)
