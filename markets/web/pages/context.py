"""What every page may show of who looks at it."""

from contextlib import suppress
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.http import HttpRequest

from markets.selectors import portfolio


def _is_address(host: str) -> bool:
    """Return whether a host has no name: browsers keep passkeys for names alone."""
    with suppress(ValueError):
        return bool(ip_address(urlsplit(f"//{host}").hostname or ""))
    return False


def viewer(request: HttpRequest) -> dict[str, Any]:
    """Return functions, so that a page that does not ask costs nothing."""
    return {
        "base_url": settings.BASE_URL,
        "passkeys": lambda: not _is_address(request.get_host()),
        "spendable": lambda: portfolio.spendable(request.user),
    }
