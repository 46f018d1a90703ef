"""Errors as `application/problem+json` (RFC 9457), with their HTTP statuses."""

import json
from collections.abc import Callable
from typing import Any, Final

from django.core.exceptions import RequestDataTooBig, SuspiciousOperation
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse
from ninja.errors import AuthenticationError, HttpError, ValidationError

from markets.domain import errors
from markets.infra.request_context import current_request_id, note_failure
from markets.services.importing import ImportRefused
from markets.web.api.answers import PreconditionRequired

CONTENT_TYPE: Final = "application/problem+json"

STATUS: Final[dict[type[errors.Refused], int]] = {
    errors.NotFound: 404,
    errors.Invalid: 422,
    ImportRefused: 422,
    errors.IllegalTransition: 409,
    errors.VersionConflict: 412,
    PreconditionRequired: 428,
    errors.Unauthenticated: 401,
    errors.Forbidden: 403,
    errors.TradeTooSmall: 422,
    errors.RateLimited: 429,
    errors.TooManyStreams: 503,
    errors.Busy: 503,
}

# by status, the default (code, title)
TITLES: Final = {
    400: ("bad_request", "The request cannot be read"),
    401: ("unauthenticated", "Authentication is needed"),
    403: ("forbidden", "Not allowed"),
    404: ("not_found", "There is nothing here"),
    405: ("method_not_allowed", "Not with this method"),
    409: ("conflict", "In conflict with the state of things"),
    412: ("version_conflict", "Overtaken by another edit"),
    413: ("too_large", "The request is too large"),
    415: ("unsupported_media_type", "Not in this format"),
    422: ("validation_error", "Some of this is not valid"),
    428: ("precondition_required", "If-Match is missing"),
    429: ("rate_limited", "Too many requests"),
    500: ("internal_error", "Something went wrong here"),
    503: ("unavailable", "Not available right now"),
}


def problem_bytes(status: int, code: str | None = None, detail: str = "", **more: Any) -> bytes:
    default_code, title = TITLES.get(status, ("error", "Error"))
    body = {
        "type": "about:blank",
        "title": title,
        "status": status,
        "detail": detail or title,
        "code": code or default_code,
        "request_id": current_request_id(),
        **more,
    }
    return json.dumps(body, ensure_ascii=False).encode()


def problem(status: int, code: str | None = None, detail: str = "", **more: Any) -> HttpResponse:
    body = problem_bytes(status, code, detail, **more)
    response = HttpResponse(body, status=status, content_type=CONTENT_TYPE)
    if status == 401:
        response["WWW-Authenticate"] = "Bearer"
    if "retry_after" in more:
        response["Retry-After"] = str(more["retry_after"])
    response["Cache-Control"] = "no-store"
    response["Content-Length"] = str(len(body))
    return response


def problem_of(error: errors.Refused) -> tuple[int, str, str]:
    return STATUS.get(type(error), 409), error.code, str(error)


def refused(_request: HttpRequest, error: errors.Refused) -> HttpResponse:
    more: dict[str, Any] = {}
    if isinstance(error, errors.Invalid):
        fields = error.fields.items()
        more["errors"] = [{"field": name, "message": message} for name, message in fields]
    elif isinstance(error, ImportRefused):
        more["errors"] = [vars(row) for row in error.errors]
    if (retry_after := getattr(error, "retry_after", None)) is not None:
        more["retry_after"] = retry_after
    return problem(*problem_of(error), **more)


def _invalid(_request: HttpRequest, error: ValidationError) -> HttpResponse:
    items = error.errors[:50]
    found = [{"field": _field(item["loc"]), "message": str(item["msg"])} for item in items]
    detail = "; ".join(f"{e['field']}: {e['message']}" for e in found[:5])
    return problem(422, detail=detail, errors=found)


def _field(location: tuple[Any, ...]) -> str:
    """Return the location without Ninja's prefix: `("body", "draft", "name")` becomes `name`."""
    parts = [str(part) for part in location]
    return ".".join(parts[2:] if parts[0] == "body" and len(parts) > 2 else parts[1:]) or parts[0]


def _unavailable(request: HttpRequest, error: Exception) -> HttpResponse:
    note_failure(error)
    return refused(request, errors.Busy())


def _failed(_request: HttpRequest, error: Exception) -> HttpResponse:
    note_failure(error)
    detail = "The error has been logged; quote the request_id when you report it."
    return problem(500, detail=detail)


TOO_LARGE: Final = "A request has at most 4 MB; split an import into several files."

HANDLERS: Final[dict[type[Exception], Callable[[HttpRequest, Any], HttpResponse]]] = {
    errors.Refused: refused,
    ValidationError: _invalid,
    AuthenticationError: lambda *_: problem(401, detail=str(errors.Unauthenticated())),
    HttpError: lambda _, error: problem(error.status_code, detail=str(error)),
    Http404: lambda *_: problem(404),
    RequestDataTooBig: lambda *_: problem(413, detail=TOO_LARGE),
    SuspiciousOperation: lambda _, error: problem(400, detail=str(error)),  # too many parameters
    OperationalError: _unavailable,
    InterfaceError: _unavailable,
    Exception: _failed,
}
