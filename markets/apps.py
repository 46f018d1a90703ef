"""The app's start-up: what must be connected once per process."""

import sys
from typing import Any

from django.apps import AppConfig
from django.core.signals import got_request_exception

from markets.infra.request_context import note_failure


class MarketsConfig(AppConfig):
    name = "markets"

    def ready(self) -> None:
        got_request_exception.connect(remember_error, dispatch_uid="request log")


def remember_error(**_kwargs: Any) -> None:
    """Django answers 500 where this error happened; the request's log line tells of it."""
    error = sys.exc_info()[1]
    if error is not None:
        note_failure(error)
