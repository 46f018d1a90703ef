"""The caller's own balance, positions, trades and keys."""

from collections.abc import Callable
from typing import Any

from django.contrib.auth.base_user import AbstractBaseUser
from django.db.models import QuerySet
from django.http import HttpResponse
from django.utils import timezone
from ninja import Query, Router

from markets.infra.threads import in_thread
from markets.presenters.portfolio import (
    present_key,
    present_position,
    present_posting,
    present_summary,
)
from markets.presenters.trading import present_own_trade
from markets.selectors import portfolio
from markets.selectors.pages import page
from markets.services import keys
from markets.web.api import answers
from markets.web.api.schemas.base import Paging
from markets.web.api.schemas.own import (
    KeyIn,
    KeyMadeOut,
    KeysOut,
    MeOut,
    PositionsOut,
    StatementOut,
)
from markets.web.api.schemas.trading import OwnTradesOut
from markets.web.auth import ApiRequest, needs

router = Router(tags=["me"], auth=needs("read"))


@router.get("", response=MeOut, summary="Balance, holdings and profit")
async def get_me(request: ApiRequest) -> HttpResponse:
    def work(user: AbstractBaseUser) -> dict[str, Any]:
        return present_summary(user, portfolio.spendable(user), portfolio.positions(user))

    return answers.private(await in_thread(work, request.auth.user))


async def _page(
    request: ApiRequest,
    paging: Paging,
    rows: Callable[[AbstractBaseUser], QuerySet[Any]],
    present: Callable[[Any], dict[str, Any]],
) -> HttpResponse:
    def work(user: AbstractBaseUser) -> bytes:
        return answers.page(page(rows(user), order=["-id"], **paging.dict()), present)

    return answers.private(await in_thread(work, request.auth.user))


@router.get("/positions", response=PositionsOut, summary="What you hold, at current prices")
async def list_positions(request: ApiRequest, paging: Query[Paging]) -> HttpResponse:
    return await _page(request, paging, portfolio.positions, present_position)


@router.get("/trades", response=OwnTradesOut, summary="Your trades, newest first")
async def list_own_trades(request: ApiRequest, paging: Query[Paging]) -> HttpResponse:
    return await _page(request, paging, portfolio.trades, present_own_trade)


@router.get("/ledger", response=StatementOut, summary="Your statement, newest first")
async def list_postings(request: ApiRequest, paging: Query[Paging]) -> HttpResponse:
    return await _page(request, paging, portfolio.statement, present_posting)


@router.post("/keys/", response={201: KeyMadeOut}, summary="Make a key")
async def create_key(request: ApiRequest, wanted: KeyIn) -> HttpResponse:
    user, by, now = request.auth.user, request.auth.key, timezone.now()
    key, secret = await in_thread(keys.issue_key, user=user, by=by, now=now, **wanted.dict())
    return answers.private({**present_key(key), "key": secret}, status=201)


@router.get("/keys/", response=KeysOut, summary="Your keys, newest first")
async def list_keys(request: ApiRequest, paging: Query[Paging]) -> HttpResponse:
    return await _page(request, paging, portfolio.keys, present_key)


@router.delete("/keys/{int:key_id}", response={204: None}, summary="Revoke a key")
async def revoke_key(request: ApiRequest, key_id: int) -> HttpResponse:
    user, by, now = request.auth.user, request.auth.key, timezone.now()
    await in_thread(keys.revoke_key, user=user, by=by, key_id=key_id, now=now)
    return HttpResponse(status=204)
