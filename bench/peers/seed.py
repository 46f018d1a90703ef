"""Peer: the seed document's own pattern, FastAPI and a repository that caches in Redis. `PEER_LOG=1` adds its logging middleware."""

from __future__ import annotations

import os
from pathlib import Path
from uuid import uuid4

import structlog
from fastapi import Depends, FastAPI, HTTPException
from pydantic import BaseModel
from redis.asyncio import Redis
from starlette.middleware.base import BaseHTTPMiddleware

redis = Redis.from_url(os.environ["REDIS_URL"])
BODY = Path(os.environ["PEER_BODY"]).read_bytes()


class Outcome(BaseModel):
    id: int
    label: str
    price: str
    shares: str


class Market(BaseModel):
    id: int
    slug: str
    name: str
    description: str
    resolution_criteria: str
    status: str
    category: str | None
    tags: list[str]
    open_at: str | None
    close_at: str | None
    created_at: str
    updated_at: str
    outcomes: list[Outcome]
    liquidity: str
    volume: str
    volume_24h: str
    trade_count: int
    trader_count: int
    seq: int
    version: int
    resolution: dict[str, object] | None


class CachedMarketRepository:
    async def find_by_id(self, market_id: int) -> Market | None:
        key = f"seed:{market_id}"
        cached = await redis.get(key)
        if cached:
            return Market.model_validate_json(cached)
        market = Market.model_validate_json(BODY)
        await redis.setex(key, 300, market.model_dump_json())
        return market


class MarketService:
    def __init__(self, repository: CachedMarketRepository) -> None:
        self.repository = repository

    async def get_market(self, market_id: int) -> Market:
        market = await self.repository.find_by_id(market_id)
        if market is None:
            raise HTTPException(404)
        return market


def get_market_service() -> MarketService:
    return MarketService(CachedMarketRepository())


application = FastAPI()
logger = structlog.get_logger()


class LoggingMiddleware(BaseHTTPMiddleware):
    async def dispatch(self, request, call_next):  # type: ignore[no-untyped-def]
        structlog.contextvars.bind_contextvars(
            request_id=str(uuid4()), method=request.method, path=request.url.path
        )
        try:
            response = await call_next(request)
            logger.info("request_completed", status=response.status_code)
            return response
        finally:
            structlog.contextvars.unbind_contextvars("request_id", "method", "path")


if os.environ.get("PEER_LOG"):
    application.add_middleware(LoggingMiddleware)


@application.get("/api/v1/markets/{market_id}", response_model=Market)
async def get_market(
    market_id: int,
    service: MarketService = Depends(get_market_service),  # noqa: B008
) -> Market:
    return await service.get_market(market_id)
