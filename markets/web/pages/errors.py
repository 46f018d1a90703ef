"""The pages for what went wrong."""

import sys
from collections.abc import Callable
from functools import wraps
from typing import Any, Final

from django.conf import settings
from django.db import InterfaceError, OperationalError, connection
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseForbidden
from django.shortcuts import render
from django.urls import resolve
from django.utils.translation import gettext as _
from django.views import defaults
from redis import RedisError

from markets.domain.errors import Busy
from markets.web.pages import comments
from markets.web.pages.market import find
from markets.web.pages.trade import to_sign_in

# Redis: it counts who tries to sign in, and without the count nobody may try
_UNAVAILABLE: Final = (OperationalError, InterfaceError, Busy, RedisError)
WAIT_SECONDS: Final = 60  # the window of every limit that answers 429


def lets_go(page: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """Give the connection back that an error's page has read with.

    Django draws these pages in a thread of which it knows nothing afterwards: the connection would
    stay with the thread, and twenty of them are all that a process has.
    """

    @wraps(page)
    def draw(*args: Any, **kwargs: Any) -> HttpResponse:
        try:
            return page(*args, **kwargs)
        finally:
            connection.close()

    return draw


not_found = lets_go(defaults.page_not_found)
not_allowed = lets_go(defaults.permission_denied)


@lets_go
def not_understood(request: HttpRequest, exception: Exception) -> HttpResponse:  # noqa: ARG001
    return render(request, "400.html", status=400)


def server_error(request: HttpRequest) -> HttpResponse:
    """Answer 503 if the database or Redis is down or busy, otherwise 500."""
    if not isinstance(sys.exc_info()[1], _UNAVAILABLE):
        return defaults.server_error(request)
    response = render(request, "503.html", status=503, using=None)
    response["Retry-After"] = str(Busy.retry_after)
    return response


def nothing_here(_request: HttpRequest, **_address: str) -> HttpResponse:
    """Answer 404 for a disabled address."""
    raise Http404


def too_many(request: HttpRequest) -> HttpResponse:
    """Answer 429 for too many attempts."""
    response = render(request, "429.html", status=429)
    response["Retry-After"] = str(WAIT_SECONDS)
    return response


@lets_go
def _send_again(request: HttpRequest, slug: str, comment_id: int | None = None) -> HttpResponse:
    """Keep what somebody wrote before they signed in or out in another tab."""
    problem = _("You have signed in or out since: send it again.")
    return comments.again(request, find(slug), problem, comment_id)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:  # noqa: ARG001
    """Answer 403 for a form without its token: an old page, or no cookies.

    The forms of the admin keep what was typed into them (static/markets/admin.js).
    """
    if request.path.startswith("/api/"):  # asked in the event loop, and answered with a problem
        return HttpResponseForbidden()
    door = resolve(request.path_info)
    if door.url_name in {"comment", "edit_comment"}:
        return _send_again(request, **door.kwargs)
    if door.url_name == "trade" and settings.SESSION_COOKIE_NAME not in request.COOKIES:
        return to_sign_in(request, slug=door.kwargs["slug"])  # the session went with the cookies
    again = request.get_full_path() if request.path.startswith("/admin/") else ""
    return render(request, "403_csrf.html", {"again": again}, status=403)
