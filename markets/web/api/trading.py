"""Quotes and trades, and prices over time."""

from datetime import UTC, datetime, timedelta
from typing import Any

from django.http import HttpResponse
from django.utils import timezone
from ninja import Query

from markets.caching import shared
from markets.domain.permissions import Permission
from markets.infra.threads import in_thread
from markets.infra.turnstile import Turnstile
from markets.presenters.history import present_bar, present_point
from markets.presenters.quote import present_quote
from markets.presenters.trade import present_placed, present_trade
from markets.selectors import history, markets, portfolio
from markets.selectors.pages import page
from markets.services import trading
from markets.web.api import answers
from markets.web.api.markets import MarketId, router
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
from markets.web.auth import ApiRequest, needs

TRADING: Any = {"tags": ["trading"]}
A_SECOND = timedelta(seconds=1)

turnstile = Turnstile()


@router.post(
    "/{int:market_id}/quote", **TRADING, response=QuoteOut, summary="What an order would do now"
)
async def quote(request: ApiRequest, wanted: QuoteIn, market_id: int = MarketId) -> HttpResponse:
    def work() -> dict[str, Any]:
        market = markets.get(market_id)
        found = trading.quote(market=market, order=wanted.order(), now=timezone.now())
        return present_quote(found, market.seq)

    return answers.private(await in_thread(work))


@router.post(
    "/{int:market_id}/trades",
    **TRADING,
    response={200: PlacedOut, 201: PlacedOut},
    auth=needs("trade"),
    summary="Trade; the same order again gives the first result",
)
async def place_trade(
    request: ApiRequest, wanted: TradeIn, market_id: int = MarketId
) -> HttpResponse:
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

    async with turnstile.passing(market_id):
        placed, made = await in_thread(work)
    return answers.private(placed, status=201 if made else 200)


@router.get(
    "/{int:market_id}/trades", **TRADING, response=TradesOut, summary="Trades, newest first"
)
async def list_trades(
    request: ApiRequest, paging: Query[Paging], market_id: int = MarketId
) -> HttpResponse:
    drafts = request.auth.may(Permission.SEE_DRAFTS)

    def work() -> bytes:
        markets.head(market_id, drafts=drafts)
        return answers.page(
            page(history.trades(market_id), order=["-id"], **paging.dict()), present_trade
        )

    return answers.public(request, await in_thread(work), about=market_id, to_staff=drafts)


@router.get(
    "/{int:market_id}/history", **TRADING, response=PriceHistoryOut, summary="Prices over time"
)
async def price_history(
    request: ApiRequest, filters: Query[HistoryFilters], market_id: int = MarketId
) -> HttpResponse:
    def work() -> bytes:
        market = markets.get(market_id)
        end = filters.to or timezone.now()
        start = filters.from_ or min(market.open_at or market.created_at, end - A_SECOND)
        found = history.prices_over_time(market, start=start, end=end, points=filters.points)
        return shared.encode({"items": list(map(present_point, found)), "next": None})

    return answers.public(request, await in_thread(work), about=market_id)


@router.get(
    "/{int:market_id}/candlesticks",
    **TRADING,
    response=CandlesOut,
    summary="Open, high, low, close, volume",
)
async def candlesticks(
    request: ApiRequest, filters: Query[CandleFilters], market_id: int = MarketId
) -> HttpResponse:
    def work() -> bytes:
        markets.head(market_id)
        start, end = (datetime.fromtimestamp(ts, UTC) for ts in (filters.start_ts, filters.end_ts))
        minutes = int(filters.period_interval)
        found = history.candlesticks(
            market_id, filters.outcome_id, start=start, end=end, minutes=minutes
        )
        return shared.encode({"items": list(map(present_bar, found)), "next": None})

    return answers.public(request, await in_thread(work), about=market_id)
