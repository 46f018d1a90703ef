"""The pages of requests that are refused, beside 404, 500 and 503."""

from typing import Final

from django.http import HttpRequest, HttpResponse, HttpResponseForbidden
from django.shortcuts import render

WAIT_SECONDS: Final = 60  # the window of every limit that answers 429


def too_many(request: HttpRequest) -> HttpResponse:
    """Answer 429 for too many attempts."""
    response = render(request, "429.html", status=429)
    response["Retry-After"] = str(WAIT_SECONDS)
    return response


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:  # noqa: ARG001
    """Answer 403 for a form without its token: an old page, or no cookies."""
    if request.path.startswith("/api/"):  # asked in the event loop, and answered with a problem
        return HttpResponseForbidden()
    return render(request, "403_csrf.html", status=403)
