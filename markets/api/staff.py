"""Managing markets: for callers with the scope `staff`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from ninja import Query

from markets.amounts import MICRO, to_text
from markets.api import answers
from markets.api.auth import needs
from markets.api.markets import MarketId, router
from markets.api.schemas import (
    CancelIn,
    ImportOptions,
    ImportOut,
    MarketIn,
    MarketOut,
    MarketPatch,
    NothingIn,
    OutcomeIn,
    ResolveIn,
    SettlementOut,
)
from markets.errors import Invalid
from markets.models import Market
from markets.selectors import markets
from markets.services import catalogue, importing, lifecycle, resolution
from markets.services.wording import OutcomeDraft
from markets.threads import in_thread

STAFF: Any = {"auth": needs("staff"), "tags": ["staff"]}

IF_MATCH = {"parameters": [{"in": "header", "name": "If-Match", "schema": {"type": "string"}, "description": "version"}]}
IF_MATCH_NEEDED = {"parameters": [{**IF_MATCH["parameters"][0], "required": True}]}
TABLE = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {"schema": {"type": "array", "items": {"type": "object"}}},
            "text/csv": {"schema": {"type": "string"}},
        },
    }
}


async def change(request: HttpRequest, service: Callable[..., Market], **facts: Any) -> tuple[int, dict[str, Any]]:
    """Run a service for the caller; gives the market's id and the market as it now is."""

    def work() -> tuple[int, dict[str, Any]]:
        market = service(actor=request.auth.user, now=timezone.now(), **facts)  # type: ignore[attr-defined]
        return market.pk, markets.present(markets.get(market.pk, drafts=True))

    return await in_thread(work)


def _drafts(outcomes: list[OutcomeIn]) -> list[OutcomeDraft]:
    return [OutcomeDraft(outcome.label, outcome.probability) for outcome in outcomes]


@router.post("/", **STAFF, response={201: MarketOut}, summary="Create a market")
async def create_market(request: HttpRequest, market: MarketIn) -> HttpResponse:
    facts = market.dict(exclude_none=True)
    if market.outcomes is not None:
        facts["outcomes"] = _drafts(market.outcomes)
    market_id, created = await change(request, catalogue.create_market, **facts)
    response = answers.private(created, status=201)
    response["Location"] = reverse("api-1:get_market", args=[market_id])
    return response


@router.patch("/{int:market_id}", **STAFF, response=MarketOut, summary="Edit a market", openapi_extra=IF_MATCH_NEEDED)
async def edit_market(request: HttpRequest, changes: MarketPatch, market_id: int = MarketId) -> HttpResponse:
    facts = changes.dict(exclude_unset=True)
    for field, value in facts.items():
        if value is None and field not in {"category", "open_at", "close_at"}:
            raise Invalid(**{field: "This cannot be null; leave it out to keep it as it is."})
    if changes.outcomes is not None:
        facts["outcomes"] = _drafts(changes.outcomes)
    version = answers.expected_version(request, needed=True)
    _, edited = await change(request, catalogue.edit_market, market_id=market_id, changes=facts, expected_version=version)
    return answers.private(edited)


@router.post("/import", **STAFF, response=ImportOut, summary="Import markets from JSON or CSV", openapi_extra=TABLE)
async def import_markets(request: HttpRequest, options: Query[ImportOptions]) -> HttpResponse:
    parse = importing.parse_csv if request.content_type == "text/csv" else importing.parse_json

    def work() -> importing.Imported:
        return importing.import_markets(
            table=parse(request.body),
            actor=request.auth.user,  # type: ignore[attr-defined]
            now=timezone.now(),
            dry_run=options.dry_run,
        )

    return answers.private(vars(await in_thread(work)))


async def _move(request: HttpRequest, service: Callable[..., Market], market_id: int, **facts: Any) -> HttpResponse:
    version = answers.expected_version(request)
    return answers.private((await change(request, service, market_id=market_id, expected_version=version, **facts))[1])


@router.post("/{int:market_id}/schedule", **STAFF, response=MarketOut, summary="Announce a draft", openapi_extra=IF_MATCH)
async def schedule_market(request: HttpRequest, market_id: int = MarketId, nothing: NothingIn | None = None) -> HttpResponse:
    return await _move(request, lifecycle.schedule_market, market_id)


@router.post("/{int:market_id}/open", **STAFF, response=MarketOut, summary="Open, or end a pause", openapi_extra=IF_MATCH)
async def open_market(request: HttpRequest, market_id: int = MarketId, nothing: NothingIn | None = None) -> HttpResponse:
    return await _move(request, lifecycle.open_market, market_id)


@router.post("/{int:market_id}/pause", **STAFF, response=MarketOut, summary="Pause trading", openapi_extra=IF_MATCH)
async def pause_market(request: HttpRequest, market_id: int = MarketId, nothing: NothingIn | None = None) -> HttpResponse:
    return await _move(request, lifecycle.pause_market, market_id)


@router.post("/{int:market_id}/close", **STAFF, response=MarketOut, summary="End trading", openapi_extra=IF_MATCH)
async def close_market(request: HttpRequest, market_id: int = MarketId, nothing: NothingIn | None = None) -> HttpResponse:
    return await _move(request, lifecycle.close_market, market_id)


@router.post("/{int:market_id}/cancel", **STAFF, response=MarketOut, summary="Call a market off", openapi_extra=IF_MATCH)
async def cancel_market(request: HttpRequest, market_id: int = MarketId, why: CancelIn | None = None) -> HttpResponse:
    return await _move(request, resolution.cancel_market, market_id, note=why.note if why else "")


@router.post(
    "/{int:market_id}/resolve", **STAFF, response=MarketOut | SettlementOut, summary="Settle a market", openapi_extra=IF_MATCH
)
async def resolve_market(request: HttpRequest, how: ResolveIn, market_id: int = MarketId) -> HttpResponse:
    if (how.outcome_id is None) == (how.payouts is None):
        raise Invalid(outcome_id="Give either an outcome_id or payouts.")
    weights = {how.outcome_id: MICRO} if how.outcome_id is not None else {w.outcome_id: w.weight for w in how.payouts or []}
    if len(weights) < len(how.payouts or []):
        raise Invalid(payouts="An outcome stands there twice.")
    facts = {"weights": weights, "evidence_url": how.evidence_url, "note": how.note}
    if how.dry_run:
        return answers.private(await in_thread(_preview, market_id, weights))
    return await _move(request, resolution.resolve_market, market_id, **facts)


def _preview(market_id: int, weights: dict[int, int]) -> dict[str, Any]:
    settlement = resolution.preview_resolution(market_id=market_id, weights=weights)
    payouts = [{"user_id": user_id, "amount": to_text(amount)} for user_id, amount in sorted(settlement.payouts.items())]
    return {"dry_run": True, "payouts": payouts, "returned": to_text(settlement.returned)}


@router.post(
    "/{int:market_id}/unresolve", **STAFF, response=MarketOut, summary="Take a settlement back", openapi_extra=IF_MATCH
)
async def unresolve_market(request: HttpRequest, market_id: int = MarketId, nothing: NothingIn | None = None) -> HttpResponse:
    return await _move(request, resolution.unresolve_market, market_id)
