"""Quotes and trades, and prices over time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from ninja import Query
from pydantic import Field

from markets import cache
from markets.amounts import to_text
from markets.api import answers
from markets.api.auth import needs, sees_drafts
from markets.api.markets import MarketId, Paging, router
from markets.api.schemas import (
    Amount,
    CandlesOut,
    In,
    Parameters,
    PlacedOut,
    PriceHistoryOut,
    QuoteOut,
    Time,
    TradesOut,
)  # fmt: skip
from markets.errors import Invalid
from markets.models import Outcome, Position
from markets.selectors import history, markets, portfolio
from markets.selectors.pages import page
from markets.services import trading
from markets.services.trading import LONGEST_ORDER_ID, Order
from markets.threads import in_thread

Id = Annotated[int, Field(ge=1, le=2**63 - 1)]


class QuoteIn(In):
    outcome_id: Id
    side: Literal["buy", "sell"]
    shares: Amount | None = None
    amount: Amount | None = None


class TradeIn(QuoteIn):
    client_order_id: Annotated[str, Field(min_length=1, max_length=LONGEST_ORDER_ID)]
    max_cost: Amount | None = None
    min_proceeds: Amount | None = None
    max_price: Amount | None = None


@router.post("/{int:market_id}/quote", response=QuoteOut, tags=["trading"], summary="What an order would do now")
async def quote(request: HttpRequest, wanted: QuoteIn, market_id: int = MarketId) -> HttpResponse:
    def work() -> dict[str, Any]:
        market = markets.get(market_id)
        found = trading.quote(market=market, order=Order(**wanted.dict()), now=timezone.now())
        return {
            "shares": to_text(found.shares),
            "cost": to_text(found.cost),
            "average_price": to_text(found.average_price),
            "price_before": to_text(found.before[found.index]),
            "price_after": to_text(found.after[found.index]),
            "seq": market.seq,
        }

    return answers.private(await in_thread(work))


@router.post(
    "/{int:market_id}/trades",
    response={200: PlacedOut, 201: PlacedOut},
    auth=needs("trade"),
    tags=["trading"],
    summary="Trade; the same order again gives the first result",
)
async def place_trade(request: HttpRequest, wanted: TradeIn, market_id: int = MarketId) -> HttpResponse:
    facts = wanted.dict()
    client_order_id = facts.pop("client_order_id")
    user = request.auth.user  # type: ignore[attr-defined]

    def work() -> tuple[dict[str, Any], bool]:
        order = Order(**facts)
        trade, made = trading.place_trade(
            market_id=market_id, trader=user, order=order, client_order_id=client_order_id, now=timezone.now()
        )
        held = Position.objects.get(trader_id=user.pk, outcome_id=trade.outcome_id)
        position = {
            "outcome_id": held.outcome_id,
            "shares": to_text(held.shares),
            "cost_basis": to_text(held.cost_basis),
            "realised_profit": to_text(held.realised),
        }
        shown = {"trade": portfolio.present_own_trade(trade), "position": position}
        return {**shown, "balance": to_text(portfolio.balance(user))}, made

    placed, made = await in_thread(work)
    return answers.private(placed, status=201 if made else 200)


@router.get("/{int:market_id}/trades", response=TradesOut, tags=["trading"], summary="Trades, newest first")
async def list_trades(request: HttpRequest, paging: Query[Paging], market_id: int = MarketId) -> HttpResponse:
    drafts = sees_drafts(request)

    def work() -> bytes:
        markets.head(market_id, drafts=drafts)
        found = page(history.trades(market_id), order=["-id"], **paging.dict())
        return cache.encode({"items": [portfolio.present_trade(trade) for trade in found.items], "next": found.next})

    return answers.public(request, await in_thread(work), about=market_id, to_staff=drafts)


class HistoryFilters(Parameters):
    from_: Time | None = Field(None, alias="from")
    to: Time | None = None
    points: int = Field(200, ge=2, le=1000)


@router.get("/{int:market_id}/history", response=PriceHistoryOut, tags=["trading"], summary="Prices over time")
async def price_history(request: HttpRequest, filters: Query[HistoryFilters], market_id: int = MarketId) -> HttpResponse:
    def work() -> bytes:
        market = markets.get(market_id)
        end = filters.to or timezone.now()
        start = filters.from_ or min(market.open_at or market.created_at, end - timedelta(seconds=1))
        points = history.prices_over_time(market, start=start, end=end, points=filters.points)
        return cache.encode({"items": points, "next": None})

    if filters.from_ or filters.to:  # what anybody can ask in endless variety is not kept
        return answers.public(request, await in_thread(work), about=market_id)
    name = f"history {market_id} {filters.points}"
    return answers.public(request, await cache.aread(market_id, name, work), about=market_id)


class CandleFilters(Parameters):
    outcome_id: Id
    start_ts: int = Field(ge=0, le=250_000_000_000, description="Unix seconds")
    end_ts: int = Field(ge=0, le=250_000_000_000, description="Unix seconds")
    period_interval: Literal["1", "60", "1440"] = Field("60", description="minutes")


@router.get("/{int:market_id}/candlesticks", response=CandlesOut, tags=["trading"], summary="Open, high, low, close, volume")
async def candlesticks(request: HttpRequest, filters: Query[CandleFilters], market_id: int = MarketId) -> HttpResponse:
    def work() -> bytes:
        markets.head(market_id)
        if not Outcome.objects.filter(pk=filters.outcome_id, market_id=market_id).exists():
            raise Invalid(outcome_id=f"Outcome {filters.outcome_id} does not belong to this market.")
        start, end = (datetime.fromtimestamp(ts, UTC) for ts in (filters.start_ts, filters.end_ts))
        minutes = int(filters.period_interval)
        found = history.candlesticks(filters.outcome_id, start=start, end=end, minutes=minutes)
        return cache.encode({"items": found, "next": None})

    return answers.public(request, await in_thread(work), about=market_id)
