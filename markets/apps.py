import sys
from typing import Any

from django.apps import AppConfig
from django.contrib.admin import apps as admin_apps
from django.core.signals import got_request_exception

from markets.infra.request_context import note_failure


class DoorConfig(admin_apps.AdminConfig):
    """Django's admin, which people enter through the pages of their account."""

    default = False
    default_site = "markets.web.accounts.site.Site"


class MarketsConfig(AppConfig):
    name = "markets"
    default = True
    verbose_name = "Bellwether"

    def ready(self) -> None:
        got_request_exception.connect(note_exception, dispatch_uid="request log")


def note_exception(**_kwargs: Any) -> None:
    """Give the error that Django answers with 500 to the request's log line."""
    if error := sys.exc_info()[1]:
        note_failure(error)
