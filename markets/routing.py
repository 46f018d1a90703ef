"""What is answered by a consumer and not by a Django view."""

from typing import Any

from django.urls import path, re_path

from markets.consumers import LobbyStream, MarketStream


def streams(*, otherwise: Any) -> list[Any]:
    """The streams' routes, and `otherwise` for everything else."""
    return [
        path("api/v1/markets/stream", LobbyStream.as_asgi()),
        path("api/v1/markets/<int:market_id>/stream", MarketStream.as_asgi()),
        re_path("", otherwise),
    ]
