"""Django middleware of our own: native async, so that it costs a request no thread."""

from collections.abc import Awaitable, Callable
from typing import Final

from django.http import HttpRequest, HttpResponse, HttpResponseBadRequest, HttpResponseBase
from django.middleware.common import CommonMiddleware
from django.middleware.security import SecurityMiddleware
from django.utils.decorators import async_only_middleware

from markets.web import problems

GetResponse = Callable[[HttpRequest], Awaitable[HttpResponseBase]]

CONTENT_TYPES: Final = {
    "",
    "application/json",
    "text/csv",
}  # a form's types would also let other sites' pages call

_PAGES: Final = "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
_ADMIN: Final = (  # Alpine, which django-unfold uses, evaluates expressions; styles are set inline
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; font-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'"
)
_DOCS: Final = "default-src 'self'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; img-src 'self' data:"


def inline(
    stock: type[SecurityMiddleware | CommonMiddleware],
) -> Callable[[GetResponse], GetResponse]:
    """A stock middleware that only computes, without the two thread hops that Django gives it."""

    @async_only_middleware
    def factory(get_response: GetResponse) -> GetResponse:
        instance = stock(get_response)

        async def middleware(request: HttpRequest) -> HttpResponseBase:
            response = instance.process_request(request) or await get_response(request)
            return instance.process_response(request, response)  # type: ignore[arg-type]

        return middleware

    return factory


security = inline(SecurityMiddleware)
common = inline(CommonMiddleware)


@async_only_middleware
def security_headers(get_response: GetResponse) -> GetResponse:
    """A Content-Security-Policy for each kind of page."""

    async def middleware(request: HttpRequest) -> HttpResponseBase:
        response = await get_response(request)
        policy = (
            _ADMIN
            if request.path.startswith("/admin/")
            else _DOCS
            if request.path == "/api/v1/docs"
            else _PAGES
        )
        response.headers.setdefault("Content-Security-Policy", policy)
        response.headers.setdefault("X-Frame-Options", "DENY")
        response.headers.setdefault(
            "Permissions-Policy", "camera=(), geolocation=(), microphone=()"
        )
        return response

    return middleware


@async_only_middleware
def no_nul(get_response: GetResponse) -> GetResponse:
    """Refuse a NUL in the query or a cookie: PostgreSQL cannot hold one, and nobody sends one by accident."""

    async def middleware(request: HttpRequest) -> HttpResponseBase:
        if "%00" in request.META["QUERY_STRING"] or any(
            "\0" in value for value in request.COOKIES.values()
        ):
            return HttpResponseBadRequest("NUL is not allowed.")
        return await get_response(request)

    return middleware


@async_only_middleware
def api_problems(get_response: GetResponse) -> GetResponse:
    """What all of /api/ has in common: problems for the errors that Django itself answers, HEAD, and the rate limit."""

    async def middleware(request: HttpRequest) -> HttpResponseBase:
        if not request.path.startswith("/api/"):
            return await get_response(request)
        if request.content_type not in CONTENT_TYPES:
            return problems.problem(415, detail="Send application/json (or text/csv to import).")
        is_head = request.method == "HEAD"
        if is_head:
            request.method = "GET"
        response = await get_response(request)
        if (
            response.status_code >= 400
            and response.headers.get("Content-Type") != problems.CONTENT_TYPE
        ):
            allow = response.headers.get("Allow")
            detail = f"{request.method} is not for this address; use {allow}." if allow else ""
            response = problems.problem(response.status_code, detail=detail)
            if allow:
                response.headers["Allow"] = allow
        if is_head and isinstance(response, HttpResponse):
            response.headers["Content-Length"] = str(len(response.content))
            response.content = b""
        for name, value in getattr(request, "rate_limit", {}).items():
            response.headers[name] = str(value)
        return response

    return middleware
