import sys
from typing import Any

from django.apps import AppConfig
from django.core.signals import got_request_exception

from markets.infra.request_context import note_failure


class MarketsConfig(AppConfig):
    name = "markets"
    verbose_name = "Bellwether"

    def ready(self) -> None:
        got_request_exception.connect(note_exception, dispatch_uid="request log")


def note_exception(**_kwargs: Any) -> None:
    """Give the error that Django answers with 500 to the request's log line."""
    if error := sys.exc_info()[1]:
        note_failure(error)
