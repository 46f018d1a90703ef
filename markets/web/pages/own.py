"""What the pages of one person have in common: portfolio, statement, keys, settings."""

from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any

from django.contrib.auth.decorators import login_required
from django.contrib.auth.models import User
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponseBase
from django.views.decorators.cache import never_cache

from markets.domain.errors import Invalid
from markets.infra.threads import in_thread
from markets.selectors.pages import M, Page, page


class OwnRequest(HttpRequest):
    """Of somebody who is signed in."""

    user: User


def own(view: Callable[..., HttpResponseBase]) -> Callable[..., Coroutine[Any, Any, Any]]:
    """Run a view in one hop, for whoever is signed in; others are led to sign in. Never cached."""
    inner = never_cache(login_required(view))

    @wraps(view)
    async def shown(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        return await in_thread(inner, request, *args, **kwargs)

    return shown


def one_page(request: OwnRequest, rows: QuerySet[M], order: list[str], limit: int) -> Page[M]:
    try:
        return page(rows, order=order, limit=limit, cursor=request.GET.get("cursor"))
    except Invalid:  # an outdated or broken cursor: show the first page
        return page(rows, order=order, limit=limit, cursor=None)
