"""Routes for staff: each needs the scope `staff` and a permission."""

from collections.abc import Callable
from types import ModuleType
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
from markets.presenters.trading import present_settlement
from markets.selectors import markets
from markets.services import catalogue, importing, lifecycle, resolution
from markets.web.api import answers
from markets.web.api.markets import MarketId, router
from markets.web.api.schemas.market import (
    ImportOptions,
    ImportOut,
    MarketIn,
    MarketOut,
    MarketPatch,
    NothingIn,
    OutcomeIn,
    ResolveIn,
    SettlementOut,
    WhyIn,
)
from markets.web.auth import ApiRequest, needs

IF_MATCH = {
    "in": "header", "name": "If-Match", "schema": {"type": "string"}, "description": "version",
}  # fmt: skip
TABLE = {
    "application/json": {"schema": {"type": "array", "items": {"type": "object"}}},
    "text/csv": {"schema": {"type": "string"}},
}


def staff(permission: Permission, **openapi: Any) -> Any:
    """Return the keywords of a route that needs the permission."""
    return {"auth": needs("staff", permission), "tags": ["staff"], "openapi_extra": openapi}


ADD = staff(Permission.ADD_MARKET)
EDIT = staff(Permission.EDIT_MARKET, parameters=[{**IF_MATCH, "required": True}])
OPERATE = staff(Permission.OPERATE_MARKET, parameters=[IF_MATCH])
RESOLVE = staff(Permission.RESOLVE_MARKET, parameters=[IF_MATCH])
IMPORT = staff(Permission.IMPORT_MARKETS, requestBody={"required": True, "content": TABLE})


def _change(request: ApiRequest, service: Callable[..., Market], **facts: Any) -> dict[str, Any]:
    """Run a service as the caller; return the market as JSON."""
    market = service(actor=request.auth.user, now=timezone.now(), **facts)
    return present_market(markets.get(market.pk, drafts=True))


def _drafts(outcomes: list[OutcomeIn]) -> list[OutcomeDraft]:
    return [OutcomeDraft(outcome.label, outcome.probability) for outcome in outcomes]


@router.post("/", **ADD, response={201: MarketOut}, summary="Create a market")
async def create_market(request: ApiRequest, market: MarketIn) -> HttpResponse:
    if market.status != "draft":
        request.auth.require(scope="staff", permission=Permission.OPERATE_MARKET)
    fields = market.dict(exclude_none=True)
    if market.outcomes is not None:
        fields["outcomes"] = _drafts(market.outcomes)
    created = await in_thread(_change, request, catalogue.create_market, **fields)
    response = answers.private(created, status=201)
    response["Location"] = reverse("api-1:get_market", args=[created["id"]])
    return response


@router.patch("/{int:market_id}", **EDIT, response=MarketOut, summary="Edit a market")
async def edit_market(request: ApiRequest, edit: MarketPatch, market_id: MarketId) -> HttpResponse:
    changes = edit.dict(exclude_unset=True, exclude={"reason"})
    for field, value in changes.items():
        if value is None and field not in {"category", "open_at", "close_at"}:
            raise Invalid(**{field: "This cannot be null; leave it out to keep it as it is."})
    if edit.outcomes is not None:
        changes["outcomes"] = _drafts(edit.outcomes)
    version = answers.expected_version(request, needed=True)
    facts = {"changes": changes, "expected_version": version, "reason": edit.reason}
    edited = await in_thread(_change, request, catalogue.edit_market, market_id=market_id, **facts)
    return answers.private(edited)


@router.post("/import", **IMPORT, response=ImportOut, summary="Import markets from JSON or CSV")
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


async def _run(request: ApiRequest, service: Callable[..., Market], **facts: Any) -> HttpResponse:
    """Run a service that changes the market's status; answer with the market."""
    facts["expected_version"] = answers.expected_version(request)
    return answers.private(await in_thread(_change, request, service, **facts))


def _add_move(verb: str, services: ModuleType, permitted: dict[str, Any], summary: str) -> None:
    """Add the route of a move that needs no body. OpenAPI shows the name of the function."""

    async def move(
        request: ApiRequest, market_id: MarketId, nothing: NothingIn | None = None
    ) -> HttpResponse:
        return await _run(request, getattr(services, name), market_id=market_id)

    move.__name__ = name = f"{verb}_market"
    address = f"/{{int:market_id}}/{verb}"
    router.post(address, **permitted, response=MarketOut, summary=summary)(move)


_add_move("schedule", lifecycle, OPERATE, "Announce a draft")
_add_move("open", lifecycle, OPERATE, "Open, or end a pause")
_add_move("pause", lifecycle, OPERATE, "Pause trading")
_add_move("close", lifecycle, OPERATE, "End trading")


@router.post(
    "/{int:market_id}/resolve",
    **RESOLVE,
    response=MarketOut | SettlementOut,
    summary="Settle a market",
)
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
        found = await in_thread(resolution.preview_resolution, market_id=market_id, weights=weights)
        return answers.private(present_settlement(found))
    about = {"evidence_url": how.evidence_url, "note": how.note, "known_at": how.known_at}
    service = resolution.resolve_market
    return await _run(request, service, market_id=market_id, weights=weights, **about)


@router.post(
    "/{int:market_id}/unresolve", **RESOLVE, response=MarketOut, summary="Take a settlement back"
)
async def unresolve_market(
    request: ApiRequest, market_id: MarketId, why: WhyIn | None = None
) -> HttpResponse:
    note = why.note if why else ""
    return await _run(request, resolution.unresolve_market, market_id=market_id, note=note)


@router.post("/{int:market_id}/cancel", **RESOLVE, response=MarketOut, summary="Call a market off")
async def cancel_market(
    request: ApiRequest, market_id: MarketId, why: WhyIn | None = None
) -> HttpResponse:
    note = why.note if why else ""
    return await _run(request, resolution.cancel_market, market_id=market_id, note=note)
