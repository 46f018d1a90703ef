"""The addresses that a consumer answers instead of a Django view."""

from typing import Any

from django.urls import path, re_path

from markets.web.streams.socket import NoSocket, SocketStream
from markets.web.streams.sse import LobbyStream, MarketStream, PersonStream


def streams(*, otherwise: Any) -> list[Any]:
    """Server-sent events, and `otherwise` for every other address."""
    return [
        path("api/v1/markets/stream", LobbyStream.as_asgi()),
        path("api/v1/markets/<int:market_id>/stream", MarketStream.as_asgi()),
        path("api/v1/me/stream", PersonStream.as_asgi()),
        re_path("", otherwise),
    ]


def sockets() -> list[Any]:
    return [path("ws/v1/stream", SocketStream.as_asgi()), re_path("", NoSocket.as_asgi())]
