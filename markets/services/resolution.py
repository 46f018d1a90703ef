"""Settling a market, taking the settlement back, and calling a market off."""

from collections import Counter
from collections.abc import Mapping
from datetime import datetime

from django.db import transaction
from django.db.models import F, Sum

from markets.domain import text
from markets.domain.amounts import MICRO, to_text
from markets.domain.errors import Invalid, PayoutSpent
from markets.domain.settlement import Settlement
from markets.models import Account, JournalEntry, Market, Payout, Position, Posting, Resolution
from markets.services import ledger, lifecycle
from markets.services.actor import Actor


def resolve_market(
    *,
    market_id: int,
    actor: Actor,
    now: datetime,
    weights: Mapping[int, int],
    evidence_url: str = "",
    note: str = "",
    expected_version: int | None = None,
) -> Market:
    """Settle: one share of outcome `id` pays `weights[id]` millionths of a credit; the weights sum to a million.

    Each holding is paid rounded down, and what is left of the market's money goes back to the issuance. Payouts, status and
    event are one transaction. Raises Invalid, IllegalTransition, VersionConflict, NotFound.
    """
    with transaction.atomic(durable=True):
        market = lifecycle.lock(market_id, expected_version, to="resolve")
        paying = _checked(market, weights)
        evidence_url, note = text.link("evidence_url", evidence_url), text.body("note", note)
        entry = _pay(
            market, _settlement(market, paying), JournalEntry.Kind.PAYOUT, actor=actor, now=now
        )
        for outcome_id, weight in paying.items():
            market.positions.filter(outcome_id=outcome_id).update(
                payout=F("shares") * weight / MICRO
            )
        resolution = Resolution.objects.create(
            market=market,
            evidence_url=evidence_url,
            note=note,
            resolved_at=now,
            resolved_by_id=actor.pk if actor else None,
            entry=entry,
        )
        Payout.objects.bulk_create(
            Payout(resolution=resolution, outcome_id=pk, weight=w) for pk, w in paying.items()
        )
        payouts = [{"outcome_id": pk, "weight": to_text(weight)} for pk, weight in paying.items()]
        lifecycle.move(market, "resolve", actor=actor, now=now, payouts=payouts)
    return market


def preview_resolution(*, market_id: int, weights: Mapping[int, int]) -> Settlement:
    """What `resolve_market` would pay now. Changes nothing. Raises as it does."""
    with transaction.atomic(durable=True):
        market = lifecycle.lock(market_id, to="resolve")
        return _settlement(market, _checked(market, weights))


def unresolve_market(
    *, market_id: int, actor: Actor, now: datetime, expected_version: int | None = None
) -> Market:
    """Take the standing resolution back: reverses exactly its postings, and the market is closed again.

    When a trader no longer has what was paid, nothing happens and PayoutSpent says who lacks how much; a grant of that much
    makes it possible. Raises also IllegalTransition, VersionConflict, NotFound.
    """
    with transaction.atomic(durable=True):
        market = lifecycle.lock(market_id, expected_version, to="unresolve")
        resolution = market.resolutions.select_related("entry").get(reversed_at=None)
        if resolution.entry is not None:
            _reverse(market, resolution.entry, actor=actor, now=now)
        market.positions.update(payout=0)
        market.resolutions.filter(pk=resolution.pk).update(reversed_at=now)
        lifecycle.move(market, "unresolve", actor=actor, now=now)
    return market


def cancel_market(
    *,
    market_id: int,
    actor: Actor,
    now: datetime,
    expected_version: int | None = None,
    note: str = "",
) -> Market:
    """Call the market off: every trader gets back what they paid into it beyond what they got out of it.

    Who got out more than they paid in keeps it; where the market's money does not reach, the issuance pays.
    Raises Invalid, IllegalTransition, VersionConflict, NotFound.
    """
    with transaction.atomic(durable=True):
        market = lifecycle.lock(market_id, expected_version, to="cancel")
        note = text.body("note", note)
        paid_in = (
            market.positions.order_by()
            .values("trader")
            .annotate(net=Sum("net_cost"))
            .filter(net__gt=0)
        )
        refunds = dict(paid_in.values_list("trader", "net"))
        settlement = Settlement(refunds, _balance(market) - sum(refunds.values()))
        _pay(market, settlement, JournalEntry.Kind.REFUND, actor=actor, now=now)
        lifecycle.move(market, "cancel", actor=actor, now=now, note=note)
    return market


def _checked(market: Market, weights: Mapping[int, int]) -> dict[int, int]:
    """The outcomes that pay, by id. Raises Invalid."""
    known = set(market.outcomes.values_list("pk", flat=True))
    if unknown := set(weights) - known:
        raise Invalid(
            outcome_id=f"Outcome {min(unknown)} does not belong to this market; its outcomes are {sorted(known)}."
        )
    if not weights or sum(weights.values()) != MICRO or min(weights.values()) < 0:
        raise Invalid(
            payouts=f"The weights sum to {to_text(sum(weights.values()))}; they must be positive and sum to 1."
        )
    return {pk: weight for pk, weight in weights.items() if weight}


def _balance(market: Market) -> int:
    account = Account.objects.filter(market=market).first()
    return account.balance if account else 0


def _settlement(market: Market, paying: Mapping[int, int]) -> Settlement:
    """What each holder gets, each holding rounded down, and the rest."""
    payouts: Counter[int] = Counter()
    holdings = Position.objects.filter(market=market, outcome__in=paying, shares__gt=0)
    for trader_id, outcome_id, shares in holdings.values_list("trader_id", "outcome_id", "shares"):
        payouts[trader_id] += shares * paying[outcome_id] // MICRO
    return Settlement(dict(payouts), _balance(market) - payouts.total())


def _pay(
    market: Market, settlement: Settlement, kind: str, *, actor: Actor, now: datetime
) -> JournalEntry | None:
    """Empty the market's account as the settlement says; None when there is nothing to move."""
    accounts = dict(
        Account.objects.filter(user__in=settlement.payouts).values_list("user_id", "pk")
    )
    amounts = {accounts[user_id]: amount for user_id, amount in settlement.payouts.items()}
    if not settlement.returned and not any(amounts.values()):
        return None
    amounts[ledger.market_account(market).pk] = -sum(amounts.values()) - settlement.returned
    amounts[ledger.issuance().pk] = settlement.returned
    return ledger.post(kind, amounts, market=market, actor=actor, now=now)


def _reverse(market: Market, entry: JournalEntry, *, actor: Actor, now: datetime) -> None:
    back = {posting.account_id: -posting.amount for posting in Posting.objects.filter(entry=entry)}
    held = Account.objects.select_for_update().filter(pk__in=back).order_by("pk")
    short = {
        a.user_id: -(a.balance + back[a.pk])
        for a in held
        if a.user_id and a.balance + back[a.pk] < 0
    }
    if short:
        raise PayoutSpent(short)
    ledger.post(
        JournalEntry.Kind.REVERSAL, back, market=market, actor=actor, now=now, reverses=entry
    )
