"""Async middleware, which costs a request no thread."""

from collections.abc import Awaitable, Callable
from typing import Final

from django.core.exceptions import BadRequest
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.middleware.common import CommonMiddleware
from django.middleware.security import SecurityMiddleware
from django.utils.decorators import async_only_middleware

from markets.web import problems

GetResponse = Callable[[HttpRequest], Awaitable[HttpResponseBase]]
Middleware = Callable[[GetResponse], GetResponse]

# The content types of forms are refused: pages of other sites could send those.
CONTENT_TYPES: Final = {"", "application/json", "text/csv"}

_LOCKED: Final = "object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
_PAGES: Final = f"default-src 'self'; img-src 'self' data:; {_LOCKED}"
_ADMIN: Final = (  # django-unfold uses Alpine, which evaluates expressions, and inline styles
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; font-src 'self' data:; "
    f"{_LOCKED}"
)
_DOCS: Final = (
    "default-src 'self'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:"
)


def inline(stock: type[SecurityMiddleware | CommonMiddleware]) -> Middleware:
    """Return a stock middleware that does no I/O, without the two thread hops Django adds."""

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
    async def middleware(request: HttpRequest) -> HttpResponseBase:
        response = await get_response(request)
        policy = _DOCS if request.path == "/api/v1/docs" else _PAGES
        if request.path.startswith("/admin/"):
            policy = _ADMIN
        headers = response.headers
        headers.setdefault("Content-Security-Policy", policy)
        headers.setdefault("X-Frame-Options", "DENY")
        headers.setdefault("Permissions-Policy", "camera=(), geolocation=(), microphone=()")
        return response

    return middleware


@async_only_middleware
def no_nul(get_response: GetResponse) -> GetResponse:
    """Refuse NUL in the query or a cookie: PostgreSQL cannot store NUL."""

    async def middleware(request: HttpRequest) -> HttpResponseBase:
        cookies = "".join(request.COOKIES.values())
        if "%00" in request.META["QUERY_STRING"] or "\0" in cookies:
            raise BadRequest("NUL is not allowed.")
        return await get_response(request)

    return middleware


@async_only_middleware
def api_problems(get_response: GetResponse) -> GetResponse:
    """Give /api/ problems for Django's own errors, HEAD, and the rate limit's headers."""

    async def middleware(request: HttpRequest) -> HttpResponseBase:
        if not request.path.startswith("/api/"):
            return await get_response(request)
        if request.content_type not in CONTENT_TYPES:
            return problems.problem(415, detail="Send application/json (or text/csv to import).")
        is_head = request.method == "HEAD"
        if is_head:
            request.method = "GET"
        response = await get_response(request)
        status, content_type = response.status_code, response.headers.get("Content-Type")
        if status >= 400 and content_type != problems.CONTENT_TYPE:
            allow = response.headers.get("Allow")
            detail = f"{request.method} is not for this address; use {allow}." if allow else ""
            response = problems.problem(status, detail=detail)
            if allow:
                response.headers["Allow"] = allow
        if is_head and isinstance(response, HttpResponse):
            response.headers["Content-Length"] = str(len(response.content))
            response.content = b""
        for name, value in getattr(request, "rate_limit", {}).items():
            response.headers[name] = str(value)
        return response

    return middleware
