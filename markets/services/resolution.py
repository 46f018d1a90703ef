"""Settling a market, and taking the settlement back."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from django.db import transaction

from markets.amounts import MICRO, to_text
from markets.errors import Invalid
from markets.models import Market, Payout, Resolution
from markets.services import lifecycle, wording
from markets.services.lifecycle import Actor


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

    Raises Invalid, IllegalTransition, VersionConflict, NotFound.
    """
    with transaction.atomic(durable=True):
        market = lifecycle.lock(market_id, expected_version, to="resolve")
        paying = _checked(market, weights)
        lifecycle.move(
            market,
            "resolve",
            actor=actor,
            now=now,
            payouts=[{"outcome_id": pk, "weight": to_text(weight)} for pk, weight in paying.items()],
        )
        resolution = Resolution.objects.create(
            market=market,
            evidence_url=wording.link("evidence_url", evidence_url),
            note=wording.body("note", note),
            resolved_at=now,
            resolved_by_id=actor.pk if actor else None,
        )
        Payout.objects.bulk_create(Payout(resolution=resolution, outcome_id=pk, weight=w) for pk, w in paying.items())
    return market


def unresolve_market(*, market_id: int, actor: Actor, now: datetime, expected_version: int | None = None) -> Market:
    """Take the standing resolution back: the market is closed again. Raises IllegalTransition, VersionConflict, NotFound."""
    with transaction.atomic(durable=True):
        market = lifecycle.lock(market_id, expected_version, to="unresolve")
        lifecycle.move(market, "unresolve", actor=actor, now=now)
        market.resolutions.filter(reversed_at=None).update(reversed_at=now)
    return market


def _checked(market: Market, weights: Mapping[int, int]) -> dict[int, int]:
    """The outcomes that pay, by id. Raises Invalid."""
    known = set(market.outcomes.values_list("pk", flat=True))
    if unknown := set(weights) - known:
        raise Invalid(outcome_id=f"Outcome {min(unknown)} does not belong to this market; its outcomes are {sorted(known)}.")
    if sum(weights.values()) != MICRO or min(weights.values()) < 0:
        raise Invalid(payouts=f"The weights sum to {to_text(sum(weights.values()))}; they must be positive and sum to 1.")
    return {pk: weight for pk, weight in weights.items() if weight}
