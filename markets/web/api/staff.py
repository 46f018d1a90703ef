"""Managing markets: for callers with the scope `staff` and the permission that the route names."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.http import HttpResponse
from django.urls import reverse
from django.utils import timezone
from ninja import Query

from markets.domain.amounts import MICRO
from markets.domain.errors import Invalid
from markets.domain.permissions import Permission
from markets.domain.text import OutcomeDraft
from markets.infra.threads import in_thread, in_thread_for_long
from markets.models import Market
from markets.presenters.market import present_market
from markets.presenters.settlement import present_settlement
from markets.selectors import markets
from markets.services import catalogue, importing, lifecycle, resolution
from markets.services.actor import Actor
from markets.services.catalogue import MarketChanges, MarketFacts
from markets.web.api import answers
from markets.web.api.markets import MarketId, router
from markets.web.api.schemas.market import (
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
from markets.web.auth import ApiRequest, needs


def staff(permission: Permission) -> Any:
    """Return what the routes have in common that need this permission."""
    return {"auth": needs("staff", permission), "tags": ["staff"]}


ADD, EDIT = staff(Permission.ADD_MARKET), staff(Permission.EDIT_MARKET)
OPERATE, RESOLVE = staff(Permission.OPERATE_MARKET), staff(Permission.RESOLVE_MARKET)
IMPORT = staff(Permission.IMPORT_MARKETS)

IF_MATCH = {
    "parameters": [
        {"in": "header", "name": "If-Match", "schema": {"type": "string"}, "description": "version"}
    ]
}
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


async def change(
    service: Callable[[Actor, datetime], Market], request: ApiRequest
) -> dict[str, Any]:
    """Run a service for the caller; return the market as it then is."""

    def work() -> dict[str, Any]:
        market = service(request.auth.user, timezone.now())
        return present_market(markets.get(market.pk, drafts=True))

    return await in_thread(work)


def _drafts(outcomes: list[OutcomeIn]) -> list[OutcomeDraft]:
    return [OutcomeDraft(outcome.label, outcome.probability) for outcome in outcomes]


@router.post("/", **ADD, response={201: MarketOut}, summary="Create a market")
async def create_market(request: ApiRequest, market: MarketIn) -> HttpResponse:
    if market.status != "draft":
        request.auth.require(scope="staff", permission=Permission.OPERATE_MARKET)
    facts: MarketFacts = market.dict(exclude_none=True)  # type: ignore[assignment]
    if market.outcomes is not None:
        facts["outcomes"] = _drafts(market.outcomes)
    created = await change(
        lambda actor, now: catalogue.create_market(actor=actor, now=now, **facts), request
    )
    response = answers.private(created, status=201)
    response["Location"] = reverse("api-1:get_market", args=[created["id"]])
    return response


@router.patch(
    "/{int:market_id}",
    **EDIT,
    response=MarketOut,
    summary="Edit a market",
    openapi_extra=IF_MATCH_NEEDED,
)
async def edit_market(
    request: ApiRequest, edit: MarketPatch, market_id: int = MarketId
) -> HttpResponse:
    changes: MarketChanges = edit.dict(exclude_unset=True, exclude={"reason"})  # type: ignore[assignment]
    for field, value in changes.items():
        if value is None and field not in {"category", "open_at", "close_at"}:
            raise Invalid(**{field: "This cannot be null; leave it out to keep it as it is."})
    if edit.outcomes is not None:
        changes["outcomes"] = _drafts(edit.outcomes)
    version = answers.expected_version(request, needed=True)
    edited = await change(
        lambda actor, now: catalogue.edit_market(
            market_id=market_id,
            actor=actor,
            now=now,
            changes=changes,
            expected_version=version,
            reason=edit.reason,
        ),
        request,
    )
    return answers.private(edited)


@router.post(
    "/import",
    **IMPORT,
    response=ImportOut,
    summary="Import markets from JSON or CSV",
    openapi_extra=TABLE,
)
async def import_markets(request: ApiRequest, options: Query[ImportOptions]) -> HttpResponse:
    parse = importing.parse_csv if request.content_type == "text/csv" else importing.parse_json

    def work() -> importing.Imported:
        return importing.import_markets(
            table=parse(request.body),
            actor=request.auth.user,
            now=timezone.now(),
            dry_run=options.dry_run,
        )

    return answers.private(vars(await in_thread_for_long(work)))


async def _move(
    request: ApiRequest, service: Callable[..., Market], market_id: int, **more: object
) -> HttpResponse:
    """Call a service of the market's life and answer with the market as it then is."""
    version = answers.expected_version(request)
    moved = await change(
        lambda actor, now: service(
            market_id=market_id, actor=actor, now=now, expected_version=version, **more
        ),
        request,
    )
    return answers.private(moved)


@router.post(
    "/{int:market_id}/schedule",
    **OPERATE,
    response=MarketOut,
    summary="Announce a draft",
    openapi_extra=IF_MATCH,
)
async def schedule_market(
    request: ApiRequest, market_id: int = MarketId, nothing: NothingIn | None = None
) -> HttpResponse:
    return await _move(request, lifecycle.schedule_market, market_id)


@router.post(
    "/{int:market_id}/open",
    **OPERATE,
    response=MarketOut,
    summary="Open, or end a pause",
    openapi_extra=IF_MATCH,
)
async def open_market(
    request: ApiRequest, market_id: int = MarketId, nothing: NothingIn | None = None
) -> HttpResponse:
    return await _move(request, lifecycle.open_market, market_id)


@router.post(
    "/{int:market_id}/pause",
    **OPERATE,
    response=MarketOut,
    summary="Pause trading",
    openapi_extra=IF_MATCH,
)
async def pause_market(
    request: ApiRequest, market_id: int = MarketId, nothing: NothingIn | None = None
) -> HttpResponse:
    return await _move(request, lifecycle.pause_market, market_id)


@router.post(
    "/{int:market_id}/close",
    **OPERATE,
    response=MarketOut,
    summary="End trading",
    openapi_extra=IF_MATCH,
)
async def close_market(
    request: ApiRequest, market_id: int = MarketId, nothing: NothingIn | None = None
) -> HttpResponse:
    return await _move(request, lifecycle.close_market, market_id)


@router.post(
    "/{int:market_id}/cancel",
    **RESOLVE,
    response=MarketOut,
    summary="Call a market off",
    openapi_extra=IF_MATCH,
)
async def cancel_market(
    request: ApiRequest, market_id: int = MarketId, why: CancelIn | None = None
) -> HttpResponse:
    return await _move(request, resolution.cancel_market, market_id, note=why.note if why else "")


@router.post(
    "/{int:market_id}/resolve",
    **RESOLVE,
    response=MarketOut | SettlementOut,
    summary="Settle a market",
    openapi_extra=IF_MATCH,
)
async def resolve_market(
    request: ApiRequest, how: ResolveIn, market_id: int = MarketId
) -> HttpResponse:
    if (how.outcome_id is None) == (how.payouts is None):
        raise Invalid(outcome_id="Give either an outcome_id or payouts.")
    weights = (
        {how.outcome_id: MICRO}
        if how.outcome_id is not None
        else {w.outcome_id: w.weight for w in how.payouts or []}
    )
    if len(weights) < len(how.payouts or []):
        raise Invalid(payouts="An outcome stands there twice.")
    if how.dry_run:
        return answers.private(await in_thread(_preview, market_id, weights))
    texts = {"evidence_url": how.evidence_url, "note": how.note}
    return await _move(request, resolution.resolve_market, market_id, weights=weights, **texts)


def _preview(market_id: int, weights: dict[int, int]) -> dict[str, Any]:
    return present_settlement(resolution.preview_resolution(market_id=market_id, weights=weights))


@router.post(
    "/{int:market_id}/unresolve",
    **RESOLVE,
    response=MarketOut,
    summary="Take a settlement back",
    openapi_extra=IF_MATCH,
)
async def unresolve_market(
    request: ApiRequest, market_id: int = MarketId, nothing: NothingIn | None = None
) -> HttpResponse:
    return await _move(request, resolution.unresolve_market, market_id)
