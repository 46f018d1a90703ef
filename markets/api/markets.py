"""Reading the catalogue: anybody may."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

from django.http import HttpRequest, HttpResponse
from ninja import Path, Query, Router
from pydantic import Field

from markets import cache
from markets.api import answers
from markets.api.auth import anybody, sees_drafts
from markets.api.schemas import EventsOut, MarketOut, MarketsOut, Parameters, ShelvesOut, Statuses
from markets.cache import EVERY, SHELVES
from markets.errors import Forbidden
from markets.selectors import catalogue, history, markets
from markets.selectors.search import LONGEST_QUERY
from markets.threads import in_thread

router = Router(tags=["markets"], auth=anybody)
shelves = Router(tags=["markets"], auth=anybody)

MarketId: Any = Path(..., ge=1, le=2**63 - 1)  # type: ignore[type-arg]


class Paging(Parameters):
    limit: int = Field(50, ge=1, le=200)
    cursor: str | None = Field(None, max_length=500)


class MarketFilters(Paging):
    status: Statuses | None = None
    category: str | None = Field(None, max_length=80)
    tag: str | None = Field(None, max_length=80)
    slug: str | None = Field(None, max_length=80)
    search: str | None = Field(None, max_length=LONGEST_QUERY)
    sort: Literal["newest", "closing", "volume", "activity"] | None = None


@router.get("/", response=MarketsOut, summary="Markets, filtered, searched and sorted")
async def list_markets(request: HttpRequest, filters: Query[MarketFilters]) -> HttpResponse:
    drafts = sees_drafts(request)
    if filters.status == "draft" and not drafts:
        raise Forbidden("Drafts are for staff: send a key with the scope 'staff'.")

    def make() -> bytes:
        facts: dict[str, Any] = filters.dict()
        page = catalogue.listed(text=facts.pop("search"), drafts=drafts, **facts)
        return cache.encode({"items": [markets.present(market) for market in page.items], "next": page.next})

    if drafts or filters.search or filters.cursor:  # what anybody can ask in endless variety is not kept
        body = await in_thread(make)
    else:
        body = await cache.aread(EVERY, f"list {filters.model_dump_json(exclude_defaults=True)}", make)
    return answers.public(request, body, about=EVERY, to_staff=drafts)


@router.get("/{int:market_id}", response=MarketOut, summary="One market")
async def get_market(request: HttpRequest, market_id: int = MarketId) -> HttpResponse:
    answers.without_parameters(request)
    drafts = sees_drafts(request)
    body = await (in_thread(_read_any, market_id) if drafts else cache.aread_market(market_id))
    return answers.public(request, body, about=market_id, to_staff=drafts)


def _read_any(market_id: int) -> bytes:
    return cache.encode(markets.present(markets.get(market_id, drafts=True)))


class EventFilters(Paging):
    after_seq: int = Field(0, ge=0, le=2**63 - 1)


@router.get("/{int:market_id}/events", response=EventsOut, summary="The market's log, oldest first")
async def list_events(request: HttpRequest, filters: Query[EventFilters], market_id: int = MarketId) -> HttpResponse:
    drafts = sees_drafts(request)
    return answers.public(request, await in_thread(_events, market_id, filters, drafts), about=market_id, to_staff=drafts)


def _events(market_id: int, filters: EventFilters, drafts: bool) -> bytes:
    markets.head(market_id, drafts=drafts)
    page = history.event_page(market_id, **filters.dict())
    return cache.encode({"items": [event.message() for event in page.items], "next": page.next})


@shelves.get("/categories/", response=ShelvesOut, summary="Categories, with the number of their markets")
async def list_categories(request: HttpRequest) -> HttpResponse:
    answers.without_parameters(request)
    return answers.public(request, await _shelf("categories", markets.categories), about=SHELVES)


@shelves.get("/tags/", response=ShelvesOut, summary="Tags, with the number of their markets")
async def list_tags(request: HttpRequest) -> HttpResponse:
    answers.without_parameters(request)
    return answers.public(request, await _shelf("tags", markets.tags), about=SHELVES)


async def _shelf(name: str, counted: Callable[[], list[dict[str, Any]]]) -> bytes:
    return await cache.aread(SHELVES, name, lambda: cache.encode({"items": counted(), "next": None}))
