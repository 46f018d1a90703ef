"""What every page may show of who looks at it."""

from typing import Any

from django.conf import settings
from django.http import HttpRequest

from markets.selectors import portfolio


def viewer(request: HttpRequest) -> dict[str, Any]:
    """Return functions, so that a page that does not ask costs nothing."""
    return {
        "base_url": settings.BASE_URL,
        "spendable": lambda: portfolio.spendable(request.user),
    }
