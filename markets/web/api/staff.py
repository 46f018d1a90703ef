"""Routes for staff: each needs the scope `staff` and a permission."""

from collections.abc import Callable
from datetime import datetime
from typing import Any, TypeVar

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
from markets.presenters.trading import present_settlement
from markets.selectors import markets
from markets.services import catalogue, importing, lifecycle, resolution
from markets.services.actor import Actor
from markets.services.catalogue import MarketChanges, NewMarket
from markets.web.api import answers
from markets.web.api.markets import MarketId, router
from markets.web.api.schemas.requests import (
    CancelIn,
    ImportOptions,
    MarketIn,
    MarketPatch,
    NothingIn,
    OutcomeIn,
    ResolveIn,
)
from markets.web.api.schemas.responses import ImportOut, MarketOut, SettlementOut
from markets.web.auth import ApiRequest, needs

F = TypeVar("F", bound=Callable[..., Any])


def staff(permission: Permission) -> Any:
    """Return the keywords of a route that needs the permission."""
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
    """Run a service as the caller; return the market as JSON."""

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
    fields: NewMarket = market.dict(exclude_none=True)  # type: ignore[assignment]
    if market.outcomes is not None:
        fields["outcomes"] = _drafts(market.outcomes)
    created = await change(
        lambda actor, now: catalogue.create_market(actor=actor, now=now, **fields), request
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
async def edit_market(request: ApiRequest, edit: MarketPatch, market_id: MarketId) -> HttpResponse:
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


def _post(
    verb: str, permitted: dict[str, Any], summary: str, response: Any = MarketOut
) -> Callable[[F], F]:
    """Return the decorator of the route for this verb."""
    address = f"/{{int:market_id}}/{verb}"
    return router.post(
        address, **permitted, response=response, summary=summary, openapi_extra=IF_MATCH
    )


async def _run(
    request: ApiRequest, service: Callable[..., Market], market_id: int, **options: object
) -> HttpResponse:
    """Run a service that changes the market's status; answer with the market."""
    options["expected_version"] = answers.expected_version(request)
    market = await change(
        lambda actor, now: service(market_id=market_id, actor=actor, now=now, **options), request
    )
    return answers.private(market)


@_post("schedule", OPERATE, "Announce a draft")
async def schedule_market(
    request: ApiRequest, market_id: MarketId, nothing: NothingIn | None = None
) -> HttpResponse:
    return await _run(request, lifecycle.schedule_market, market_id)


@_post("open", OPERATE, "Open, or end a pause")
async def open_market(
    request: ApiRequest, market_id: MarketId, nothing: NothingIn | None = None
) -> HttpResponse:
    return await _run(request, lifecycle.open_market, market_id)


@_post("pause", OPERATE, "Pause trading")
async def pause_market(
    request: ApiRequest, market_id: MarketId, nothing: NothingIn | None = None
) -> HttpResponse:
    return await _run(request, lifecycle.pause_market, market_id)


@_post("close", OPERATE, "End trading")
async def close_market(
    request: ApiRequest, market_id: MarketId, nothing: NothingIn | None = None
) -> HttpResponse:
    return await _run(request, lifecycle.close_market, market_id)


@_post("cancel", RESOLVE, "Call a market off")
async def cancel_market(
    request: ApiRequest, market_id: MarketId, why: CancelIn | None = None
) -> HttpResponse:
    return await _run(request, resolution.cancel_market, market_id, note=why.note if why else "")


@_post("resolve", RESOLVE, "Settle a market", MarketOut | SettlementOut)
async def resolve_market(request: ApiRequest, how: ResolveIn, market_id: MarketId) -> HttpResponse:
    payouts = how.payouts or []
    if (how.outcome_id is None) == (how.payouts is None):
        raise Invalid(outcome_id="Give either an outcome_id or payouts.")
    weights = {payout.outcome_id: payout.weight for payout in payouts}
    if how.outcome_id is not None:
        weights = {how.outcome_id: MICRO}
    elif len(weights) < len(payouts):
        raise Invalid(payouts="An outcome stands there twice.")
    if how.dry_run:
        return answers.private(await in_thread(_preview, market_id, weights))
    texts = {"evidence_url": how.evidence_url, "note": how.note}
    return await _run(request, resolution.resolve_market, market_id, weights=weights, **texts)


def _preview(market_id: int, weights: dict[int, int]) -> dict[str, Any]:
    return present_settlement(resolution.preview_resolution(market_id=market_id, weights=weights))


@_post("unresolve", RESOLVE, "Take a settlement back")
async def unresolve_market(
    request: ApiRequest, market_id: MarketId, nothing: NothingIn | None = None
) -> HttpResponse:
    return await _run(request, resolution.unresolve_market, market_id)
