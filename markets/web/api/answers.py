"""How routes answer: finished bytes with an ETag, and the preconditions that go with it."""

import hashlib
import re
from collections.abc import Callable
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
    """A read that anybody may make (or staff's view of it): with `ETag`, `Cache-Control`, and 304 for who has it already.

    `about` is the id of the market that it speaks of, or `shared.EVERY`; the hot tier keeps the answer until that moves.
    """
    kept = not to_staff and hot.share(request, about)
    tag = f'"{hashlib.blake2b(body, digest_size=12).hexdigest()}"'
    has_it = not kept and hot.matches(
        request.headers.get("If-None-Match", "").encode(), tag.encode()
    )
    response = (
        HttpResponse(status=304) if has_it else HttpResponse(body, content_type="application/json")
    )
    response["ETag"] = tag
    response["Cache-Control"] = "private, no-cache" if to_staff else "public, no-cache"
    response["Vary"] = "Authorization, Cookie"
    return response


def without_parameters(request: HttpRequest) -> None:
    """Raise Invalid when an address that takes no parameters got some (`schemas.Parameters` is for those that do)."""
    if request.GET:
        raise Invalid(**{next(iter(request.GET))[:40]: "This address takes no parameters."})


def page(found: Page[M], present: Callable[[M], dict[str, Any]]) -> bytes:
    """Return one page of a list as JSON, each row as the presenter shows it."""
    return encode({"items": [present(row) for row in found.items], "next": found.next})


def private(value: object, *, status: int = 200) -> HttpResponse:
    """Return an answer for its caller alone: of finished bytes, or of what becomes JSON."""
    body = value if isinstance(value, bytes) else encode(value)
    response = HttpResponse(body, status=status, content_type="application/json")
    response["Cache-Control"] = "private, no-store"
    return response


def expected_version(request: HttpRequest, *, needed: bool = False) -> int | None:
    """The version in `If-Match`, written as `7`, `"7"` or `W/"7"`; None without the header. Raises Invalid."""
    given = request.headers.get("If-Match")
    if given is None:
        if needed:
            raise PreconditionRequired
        return None
    match = re.fullmatch(r'(?:W/)?"([0-9]{1,9})"|([0-9]{1,9})', given.strip())
    if match is None:
        raise Invalid(**{"If-Match": 'Send the market\'s version, such as "7".'})
    return int(match[1] or match[2])
