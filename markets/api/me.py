"""What is the caller's own: keys."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from ninja import Query, Router

from markets.api import answers
from markets.api.auth import needs
from markets.api.markets import Paging
from markets.api.schemas import KeyIn, KeyMadeOut, KeysOut
from markets.models import ApiKey
from markets.selectors.markets import time_text
from markets.selectors.pages import page
from markets.services import accounts
from markets.threads import in_thread

router = Router(tags=["me"], auth=needs("read"))


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
    user = request.auth.user  # type: ignore[attr-defined]
    found = await in_thread(lambda: page(ApiKey.objects.filter(user_id=user.pk), order=["-id"], **paging.dict()))
    return answers.private({"items": [_present(key) for key in found.items], "next": found.next})


@router.delete("/keys/{int:key_id}", response={204: None}, summary="Revoke a key")
async def revoke_key(request: HttpRequest, key_id: int) -> HttpResponse:
    caller = request.auth  # type: ignore[attr-defined]
    await in_thread(accounts.revoke_key, user=caller.user, by=caller.key, key_id=key_id, now=timezone.now())
    return HttpResponse(status=204)
