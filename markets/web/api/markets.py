"""Public reads of markets."""

from collections.abc import Callable
from typing import Annotated, Any

from django.http import HttpResponse
from ninja import Path, Query, Router

from markets.caching import shared
from markets.domain.permissions import Permission, forbidden
from markets.infra.threads import in_thread
from markets.presenters.event import present_event
from markets.presenters.market import present_market
from markets.selectors import catalogue, history, markets
from markets.web.api import answers
from markets.web.api.schemas.market import (
    EventFilters,
    EventsOut,
    MarketFilters,
    MarketOut,
    MarketsOut,
    ShelvesOut,
)
from markets.web.auth import ApiRequest, anybody

router = Router(tags=["markets"], auth=anybody)
shelves = Router(tags=["markets"], auth=anybody)

MarketId = Annotated[int, Path(ge=1, le=2**63 - 1)]


@router.get("/", response=MarketsOut, summary="Markets, filtered, searched and sorted")
async def list_markets(request: ApiRequest, filters: Query[MarketFilters]) -> HttpResponse:
    drafts = request.auth.may(Permission.SEE_DRAFTS)
    if filters.status == "draft" and not drafts:
        raise forbidden(Permission.SEE_DRAFTS)

    def make() -> bytes:
        wanted = filters.dict(exclude={"search"})
        page = catalogue.listed(text=filters.search, drafts=drafts, **wanted)
        return answers.page(page, present_market)

    return answers.public(request, await in_thread(make), about=shared.ALL_MARKETS, to_staff=drafts)


@router.get("/{int:market_id}", response=MarketOut, summary="One market")
async def get_market(request: ApiRequest, market_id: MarketId) -> HttpResponse:
    answers.without_parameters(request)
    drafts = request.auth.may(Permission.SEE_DRAFTS)
    body = await (in_thread(_read_any, market_id) if drafts else shared.aread_market(market_id))
    return answers.public(request, body, about=market_id, to_staff=drafts)


def _read_any(market_id: int) -> bytes:
    return shared.encode(present_market(markets.get(market_id, drafts=True)))


@router.get("/{int:market_id}/events", response=EventsOut, summary="The market's log, oldest first")
async def list_events(
    request: ApiRequest, filters: Query[EventFilters], market_id: MarketId
) -> HttpResponse:
    drafts = request.auth.may(Permission.SEE_DRAFTS)

    def make() -> bytes:
        markets.head(market_id, drafts=drafts)
        found = history.event_page(market_id, drafts=drafts, **filters.dict())
        return answers.page(found, present_event)

    return answers.public(request, await in_thread(make), about=market_id, to_staff=drafts)


@shelves.get(
    "/categories/", response=ShelvesOut, summary="Categories, with the number of their markets"
)
async def list_categories(request: ApiRequest) -> HttpResponse:
    return await _shelf(request, markets.categories)


@shelves.get("/tags/", response=ShelvesOut, summary="Tags, with the number of their markets")
async def list_tags(request: ApiRequest) -> HttpResponse:
    return await _shelf(request, markets.tags)


async def _shelf(request: ApiRequest, counted: Callable[[], list[dict[str, Any]]]) -> HttpResponse:
    answers.without_parameters(request)
    body = answers.whole_list(await in_thread(counted))
    return answers.public(request, body, about=shared.CATALOGUE)
