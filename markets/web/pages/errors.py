"""The pages for what went wrong."""

import sys

from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views import defaults

from markets.domain.errors import Busy


def server_error(request: HttpRequest) -> HttpResponse:
    """Answer 503 if the database is down or busy, otherwise 500."""
    if not isinstance(sys.exc_info()[1], OperationalError | InterfaceError | Busy):
        return defaults.server_error(request)
    response = render(request, "503.html", status=503, using=None)
    response["Retry-After"] = str(Busy.retry_after)
    return response


def nothing_here(_request: HttpRequest, **_address: str) -> HttpResponse:
    """Answer 404 for a disabled address."""
    raise Http404
