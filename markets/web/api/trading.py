"""Quotes, trades, and prices over time."""

from datetime import UTC, datetime, timedelta
from typing import Any

from django.http import HttpResponse
from django.utils import timezone
from ninja import Query, Router

from markets.domain.permissions import Permission
from markets.infra.threads import in_thread, turnstile
from markets.presenters.trading import (
    present_bar,
    present_placed,
    present_point,
    present_quote,
    present_trade,
)
from markets.selectors import history, markets, portfolio
from markets.selectors.pages import page
from markets.services import trading
from markets.web.api import answers
from markets.web.api.markets import MarketId
from markets.web.api.schemas.base import Paging
from markets.web.api.schemas.trading import (
    CandleFilters,
    CandlesOut,
    HistoryFilters,
    PlacedOut,
    PriceHistoryOut,
    QuoteIn,
    QuoteOut,
    TradeIn,
    TradesOut,
)
from markets.web.auth import ApiRequest, anybody, needs

router = Router(tags=["trading"], auth=anybody)


@router.post("/{int:market_id}/quote", response=QuoteOut, summary="What an order would do now")
async def quote(request: ApiRequest, wanted: QuoteIn, market_id: MarketId) -> HttpResponse:
    def work() -> dict[str, Any]:
        market = markets.get(market_id)
        found = trading.quote(market=market, order=wanted.order(), now=timezone.now())
        return present_quote(found, market.seq)

    return answers.private(await in_thread(work))


@router.post(
    "/{int:market_id}/trades",
    response={200: PlacedOut, 201: PlacedOut},
    auth=needs("trade"),
    summary="Trade; the same order again gives the first result",
)
async def place_trade(request: ApiRequest, wanted: TradeIn, market_id: MarketId) -> HttpResponse:
    trader = request.auth.user

    def work() -> tuple[dict[str, Any], bool]:
        trade, made = trading.place_trade(
            market_id=market_id,
            trader=trader,
            order=wanted.order(),
            client_order_id=wanted.client_order_id,
            now=timezone.now(),
        )
        held = portfolio.holding(trader, trade.outcome_id)
        return present_placed(trade, held, portfolio.balance(trader)), made

    async with turnstile(market_id):
        placed, made = await in_thread(work)
    return answers.private(placed, status=201 if made else 200)


@router.get("/{int:market_id}/trades", response=TradesOut, summary="Trades, newest first")
async def list_trades(
    request: ApiRequest, paging: Query[Paging], market_id: MarketId
) -> HttpResponse:
    drafts = request.auth.may(Permission.SEE_DRAFTS)

    def work() -> bytes:
        markets.head(market_id, drafts=drafts)
        found = page(history.trades(market_id), order=["-id"], **paging.dict())
        return answers.page(found, present_trade)

    return answers.public(request, await in_thread(work), about=market_id, to_staff=drafts)


@router.get("/{int:market_id}/history", response=PriceHistoryOut, summary="Prices over time")
async def price_history(
    request: ApiRequest, filters: Query[HistoryFilters], market_id: MarketId
) -> HttpResponse:
    def work() -> bytes:
        market = markets.get(market_id)
        end = filters.to or timezone.now()
        opened = market.open_at or market.created_at
        start = filters.from_ or min(opened, end - timedelta(seconds=1))
        prices = history.prices_over_time(market, start=start, end=end, points=filters.points)
        return answers.whole_list(map(present_point, prices))

    return answers.public(request, await in_thread(work), about=market_id)


@router.get(
    "/{int:market_id}/candlesticks", response=CandlesOut, summary="Open, high, low, close, volume"
)
async def candlesticks(
    request: ApiRequest, filters: Query[CandleFilters], market_id: MarketId
) -> HttpResponse:
    def work() -> bytes:
        markets.head(market_id)
        start, end = (datetime.fromtimestamp(ts, UTC) for ts in (filters.start_ts, filters.end_ts))
        outcome_id, minutes = filters.outcome_id, int(filters.period_interval)
        bars = history.candlesticks(market_id, outcome_id, start=start, end=end, minutes=minutes)
        return answers.whole_list(map(present_bar, bars))

    return answers.public(request, await in_thread(work), about=market_id)
