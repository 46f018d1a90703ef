"""What a page answers when it failed."""

import sys

from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views import defaults

from markets.domain.errors import Busy


def server_error(request: HttpRequest) -> HttpResponse:
    """Answer 503 while the database is away or busy, 500 for anything else. Django calls it with the error at hand."""
    if not isinstance(sys.exc_info()[1], OperationalError | InterfaceError | Busy):
        return defaults.server_error(request)
    response = render(request, "503.html", status=503, using=None)
    response["Retry-After"] = str(Busy.retry_after)
    return response
