"""Our own application whose memory keeps nothing: every read enters Django and is answered from Redis."""

from config.asgi import application
from markets.web.hot import memory

memory.CACHED_SECONDS = 0.0  # type: ignore[misc]

__all__ = ["application"]
