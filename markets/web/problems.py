"""Errors as `application/problem+json` (RFC 9457): the one table from facts to HTTP."""

import json
from typing import Any, Final

from django.core.exceptions import RequestDataTooBig, SuspiciousOperation
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse
from ninja import NinjaAPI
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

MOST_ERRORS: Final = 50  # told of one request

# status → (code, title): what is said when nothing more is known
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
    """The body of a problem."""
    known, title = TITLES.get(status, ("error", "Error"))
    facts = {
        "type": "about:blank",
        "title": title,
        "status": status,
        "detail": detail or title,
        "code": code or known,
    }
    return json.dumps(
        {**facts, "request_id": current_request_id(), **more}, ensure_ascii=False
    ).encode()


def problem(status: int, code: str | None = None, detail: str = "", **more: Any) -> HttpResponse:
    """A problem as a response."""
    response = HttpResponse(
        problem_bytes(status, code, detail, **more), status=status, content_type=CONTENT_TYPE
    )
    if status == 401:
        response["WWW-Authenticate"] = "Bearer"
    if "retry_after" in more:
        response["Retry-After"] = str(more["retry_after"])
    response["Cache-Control"] = "no-store"
    response["Content-Length"] = str(len(response.content))
    return response


def problem_of(error: errors.Refused) -> tuple[int, str, str]:
    """Status, code and detail of a refusal."""
    return STATUS.get(type(error), 409), error.code, str(error)


def refused(_request: HttpRequest, error: errors.Refused) -> HttpResponse:
    """A refusal of a service as a response, with what it knows of fields and rows."""
    more: dict[str, Any] = {}
    if isinstance(error, errors.Invalid):
        more["errors"] = [
            {"field": name, "message": message} for name, message in error.fields.items()
        ]
    elif isinstance(error, ImportRefused):
        more["errors"] = [vars(row) for row in error.errors]
    if (retry_after := getattr(error, "retry_after", None)) is not None:
        more["retry_after"] = retry_after
    return problem(*problem_of(error), **more)


def register(api: NinjaAPI) -> None:
    """Let every error that reaches the API leave it as a problem."""
    api.add_exception_handler(errors.Refused, refused)  # type: ignore[arg-type]

    @api.exception_handler(ValidationError)
    def invalid(_request: HttpRequest, error: ValidationError) -> HttpResponse:
        found = [
            {"field": _field(item["loc"]), "message": str(item["msg"])}
            for item in error.errors[:MOST_ERRORS]
        ]
        return problem(
            422, detail="; ".join(f"{e['field']}: {e['message']}" for e in found[:5]), errors=found
        )

    @api.exception_handler(AuthenticationError)
    def unauthenticated(_request: HttpRequest, _error: AuthenticationError) -> HttpResponse:
        return problem(401, detail=str(errors.Unauthenticated()))

    @api.exception_handler(HttpError)
    def http_error(_request: HttpRequest, error: HttpError) -> HttpResponse:
        return problem(error.status_code, detail=str(error))

    @api.exception_handler(Http404)
    def not_found(_request: HttpRequest, _error: Http404) -> HttpResponse:
        return problem(404)

    @api.exception_handler(RequestDataTooBig)
    def too_large(_request: HttpRequest, _error: RequestDataTooBig) -> HttpResponse:
        return problem(
            413, detail="A request has at most 4 MB; split an import into several files."
        )

    @api.exception_handler(SuspiciousOperation)  # such as a thousand parameters
    def suspicious(_request: HttpRequest, error: SuspiciousOperation) -> HttpResponse:
        return problem(400, detail=str(error))

    @api.exception_handler(OperationalError)
    @api.exception_handler(InterfaceError)
    def unavailable(request: HttpRequest, error: Exception) -> HttpResponse:
        note_failure(error)
        return refused(request, errors.Busy())

    @api.exception_handler(Exception)
    def failed(_request: HttpRequest, error: Exception) -> HttpResponse:
        note_failure(error)
        return problem(
            500, detail="The error has been logged; quote the request_id when you report it."
        )


def _field(location: tuple[Any, ...]) -> str:
    """`("body", "draft", "name")` is `name` to whoever sent it: Ninja puts the source and the argument's name in front."""
    parts = [str(part) for part in location]
    return ".".join(parts[2:] if parts[0] == "body" and len(parts) > 2 else parts[1:]) or parts[0]
