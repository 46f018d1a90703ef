"""Two pairs of eyes: one person proposes a resolution, another with the right approves it."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser
from django.db import IntegrityError, transaction

from markets import events
from markets.domain import text
from markets.domain.amounts import to_micro, to_text
from markets.domain.errors import AlreadyDone, Forbidden, IllegalTransition, Invalid, NotFound
from markets.domain.time import time_text
from markets.events.payloads import Proposed, Withdrawn
from markets.models import Market, Objection, Proposal, Status
from markets.selectors import settlement
from markets.services import lifecycle, resolution

OBJECTION_LENGTH = 1000


def propose(
    *,
    market_id: int,
    actor: AbstractBaseUser,
    now: datetime,
    weights: Mapping[int, int],
    evidence_url: str = "",
    note: str = "",
    known_at: datetime | None = None,
    expected_seq: int | None = None,
) -> Proposal:
    """Propose a resolution of a closed market. Arguments and errors as of `resolve_market`."""
    with transaction.atomic(durable=True):
        market = lifecycle.lock(market_id, expected_seq=expected_seq, verb="resolve")
        if market.status != Status.CLOSED:
            raise IllegalTransition("propose to resolve", market.status, [Status.CLOSED])
        resolution.check_known(known_at, now)
        if settlement.open_proposal(market) is not None:
            raise Invalid(note="A resolution is proposed already: approve or reject that one.")
        paying = resolution.paying_weights(market, weights)
        payouts = [{"outcome_id": pk, "weight": to_text(w)} for pk, w in paying.items()]
        hours = settings.RESOLUTION_REVIEW_HOURS or 0
        proposal = Proposal.objects.create(
            market=market,
            payouts=payouts,
            evidence_url=text.link("evidence_url", evidence_url),
            note=text.body("note", note),
            known_at=known_at,
            proposed_by_id=actor.pk,
            proposed_at=now,
            review_until=now + timedelta(hours=hours),
        )
        payload = Proposed(
            payouts=payouts,
            note=proposal.note,
            evidence_url=proposal.evidence_url,
            review_until=time_text(proposal.review_until) or "",
        )
        events.record(market, payload, actor=actor, now=now)
    return proposal


def why_not(proposal: Proposal, actor: AbstractBaseUser, now: datetime) -> str:
    """Return why a person cannot approve a proposal now; nothing if they can."""
    if proposal.proposed_by_id == actor.pk:
        return "You proposed this resolution yourself: another person approves it."
    if settlement.held_by(actor.pk, proposal.market):
        return "You hold shares in this market: a person without shares approves it."
    if now < proposal.review_until:
        return f"Holders can object until {proposal.review_until:%d %b %H:%M UTC}."
    return ""


def weights_of(proposal: Proposal) -> dict[int, int]:
    """Return millionths by outcome id."""
    return {payout["outcome_id"]: to_micro(payout["weight"]) for payout in proposal.payouts}


def approve(
    *, market_id: int, actor: AbstractBaseUser, now: datetime, expected_seq: int | None = None
) -> Market:
    """Resolve a market as proposed. Raise Forbidden, and what `resolve_market` raises."""
    proposal = _open(market_id)
    if why := why_not(proposal, actor, now):
        raise Forbidden(why)
    return resolution.resolve_market(
        market_id=market_id,
        actor=actor,
        now=now,
        weights=weights_of(proposal),
        evidence_url=proposal.evidence_url,
        note=proposal.note,
        known_at=proposal.known_at,
        # a later proposal is a later event: what is approved is what was read
        expected_seq=expected_seq or proposal.market.seq,
        approved=True,
    )


def reject(
    *,
    market_id: int,
    actor: AbstractBaseUser,
    now: datetime,
    note: str = "",
    expected_seq: int | None = None,
) -> Market:
    """End a proposal without resolving; the market stays closed. Raise NotFound, Busy, Invalid."""
    with transaction.atomic(durable=True):
        market = lifecycle.lock(market_id, expected_seq=expected_seq)
        if settlement.open_proposal(market) is None:
            raise NotFound("proposed resolution of market", market_id)
        resolution.decide(market, actor, now, approved=False)
        events.record(market, Withdrawn(note=text.body("note", note)), actor=actor, now=now)
    return market


def object_to(*, market_id: int, trader: AbstractBaseUser, now: datetime, said: str) -> Objection:
    """Store what a holder of shares says against a proposal.

    Raise NotFound, Invalid, Forbidden for others and after the time, AlreadyDone for a second one.
    """
    said = text.line("text", said, most=OBJECTION_LENGTH)
    proposal = _open(market_id)
    if now >= proposal.review_until:
        raise Forbidden("The time for objections has passed.")
    if not settlement.held_by(trader.pk, proposal.market):
        raise Forbidden("Only people who hold shares in this market can object.")
    try:
        with transaction.atomic(durable=True):
            return Objection.objects.create(
                proposal=proposal, trader_id=trader.pk, text=said, at=now
            )
    except IntegrityError:
        raise AlreadyDone from None


def _open(market_id: int) -> Proposal:
    rows = Proposal.objects.select_related("market").defer("market__search_vector")
    proposal = rows.filter(market_id=market_id, decided_at=None).first()
    if proposal is None:
        raise NotFound("proposed resolution of market", market_id)
    return proposal
