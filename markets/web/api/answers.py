"""Responses with an ETag, and the If-Match precondition."""

import hashlib
import re
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from django.db.models import Model
from django.http import HttpRequest, HttpResponse

from markets.caching.shared import encode
from markets.domain.errors import Invalid, Refused
from markets.selectors.pages import Page
from markets.web import hot

M = TypeVar("M", bound=Model)


class PreconditionRequired(Refused):
    code = "precondition_required"

    def __init__(self) -> None:
        super().__init__(
            "Send the market's version as If-Match, so that no other edit is overwritten."
        )


def public(
    request: HttpRequest, body: bytes, *, about: int, to_staff: bool = False
) -> HttpResponse:
    """Return a response with an ETag, or 304 if the client holds the same body.

    Unless `to_staff`, the hot tier caches the response until the next event of `about`: a market
    id, `shared.ALL_MARKETS` or `shared.CATALOGUE`.
    """
    cached = not to_staff and hot.share(request, about)
    etag = f'"{hashlib.blake2b(body, digest_size=12).hexdigest()}"'
    known = request.headers.get("If-None-Match", "").encode()
    if not cached and hot.matches(known, etag.encode()):
        response = HttpResponse(status=304)
    else:
        response = HttpResponse(body, content_type="application/json")
    response["ETag"] = etag
    response["Cache-Control"] = "private, no-cache" if to_staff else "public, no-cache"
    response["Vary"] = "Authorization, Cookie"
    return response


def without_parameters(request: HttpRequest) -> None:
    if request.GET:
        raise Invalid(**{next(iter(request.GET))[:40]: "This address takes no parameters."})


def page(found: Page[M], present: Callable[[M], dict[str, Any]]) -> bytes:
    return encode({"items": [present(row) for row in found.items], "next": found.next})


def whole_list(items: Iterable[dict[str, Any]]) -> bytes:
    return encode({"items": list(items), "next": None})


def private(value: object, *, status: int = 200) -> HttpResponse:
    """Return a response that must not be cached. A `value` other than bytes becomes JSON."""
    body = value if isinstance(value, bytes) else encode(value)
    response = HttpResponse(body, status=status, content_type="application/json")
    response["Cache-Control"] = "private, no-store"
    return response


def expected_version(request: HttpRequest, *, needed: bool = False) -> int | None:
    """Return the version in `If-Match` (`7`, `"7"` or `W/"7"`), or None without the header.

    Raise Invalid, or PreconditionRequired if the header is `needed` and missing.
    """
    given = request.headers.get("If-Match")
    if given is None:
        if needed:
            raise PreconditionRequired
        return None
    match = re.fullmatch(r'(?:W/)?"([0-9]{1,9})"|([0-9]{1,9})', given.strip())
    if match is None:
        raise Invalid(**{"If-Match": 'Send the market\'s version, such as "7".'})
    return int(match[1] or match[2])
