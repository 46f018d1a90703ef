"""What is the caller's own: money, holdings, trades, keys."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib.auth.base_user import AbstractBaseUser
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from ninja import Query, Router

from markets.api import answers
from markets.api.auth import needs
from markets.api.markets import Paging
from markets.api.schemas import KeyIn, KeyMadeOut, KeysOut, MeOut, OwnTradesOut, PositionsOut, StatementOut
from markets.models import ApiKey, Trade
from markets.selectors import portfolio
from markets.selectors.markets import time_text
from markets.selectors.pages import page
from markets.services import accounts, ledger
from markets.threads import in_thread

router = Router(tags=["me"], auth=needs("read"))


@router.get("", response=MeOut, summary="Balance, holdings and profit")
async def get_me(request: HttpRequest) -> HttpResponse:
    def work(user: AbstractBaseUser) -> dict[str, Any]:
        ledger.open_account(user=user, now=timezone.now())
        return portfolio.summary(user)

    return answers.private(await in_thread(work, request.auth.user))  # type: ignore[attr-defined]


async def _page(
    request: HttpRequest, paging: Paging, rows: Callable[[Any], Any], present: Callable[[Any], Any]
) -> HttpResponse:
    """One page, newest first, of rows that belong to the caller."""

    def work(user: AbstractBaseUser) -> dict[str, Any]:
        found = page(rows(user), order=["-id"], **paging.dict())
        return {"items": [present(row) for row in found.items], "next": found.next}

    return answers.private(await in_thread(work, request.auth.user))  # type: ignore[attr-defined]


@router.get("/positions", response=PositionsOut, summary="What you hold, at current prices")
async def list_positions(request: HttpRequest, paging: Query[Paging]) -> HttpResponse:
    return await _page(request, paging, portfolio.positions, portfolio.present_position)


@router.get("/trades", response=OwnTradesOut, summary="Your trades, newest first")
async def list_own_trades(request: HttpRequest, paging: Query[Paging]) -> HttpResponse:
    return await _page(request, paging, lambda user: Trade.objects.filter(trader_id=user.pk), portfolio.present_own_trade)


@router.get("/ledger", response=StatementOut, summary="Your statement, newest first")
async def list_postings(request: HttpRequest, paging: Query[Paging]) -> HttpResponse:
    return await _page(request, paging, portfolio.statement, portfolio.present_posting)


def _present(key: ApiKey) -> dict[str, Any]:
    times = {name: time_text(getattr(key, name)) for name in ("created_at", "expires_at", "revoked_at", "last_used_at")}
    return {"id": key.pk, "name": key.name, "prefix": f"bw_{key.prefix}", "scopes": key.scopes, **times}


@router.post("/keys/", response={201: KeyMadeOut}, summary="Make a key")
async def create_key(request: HttpRequest, wanted: KeyIn) -> HttpResponse:
    caller = request.auth  # type: ignore[attr-defined]
    key, secret = await in_thread(accounts.issue_key, user=caller.user, by=caller.key, now=timezone.now(), **wanted.dict())
    return answers.private({**_present(key), "key": secret}, status=201)


@router.get("/keys/", response=KeysOut, summary="Your keys, newest first")
async def list_keys(request: HttpRequest, paging: Query[Paging]) -> HttpResponse:
    return await _page(request, paging, lambda user: ApiKey.objects.filter(user_id=user.pk), _present)


@router.delete("/keys/{int:key_id}", response={204: None}, summary="Revoke a key")
async def revoke_key(request: HttpRequest, key_id: int) -> HttpResponse:
    caller = request.auth  # type: ignore[attr-defined]
    await in_thread(accounts.revoke_key, user=caller.user, by=caller.key, key_id=key_id, now=timezone.now())
    return HttpResponse(status=204)
