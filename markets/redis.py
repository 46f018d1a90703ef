"""The cache's server, through django-redis; and what to do while it does not answer."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeVar
from weakref import WeakKeyDictionary

import structlog
from django.conf import settings
from django.core.cache import cache
from django_redis import get_redis_connection
from redis import RedisError
from redis.asyncio import BlockingConnectionPool
from redis.asyncio import Redis as AsyncRedis

T = TypeVar("T")
logger = structlog.get_logger("bellwether.cache")

RETRY_AFTER: Final = 1.0  # seconds between two looks at a Redis that did not answer
CONNECTIONS: Final = 50  # of an event loop


class Redis:
    """The cache's server, treated as absent from when it does not answer until it does and has been emptied."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.away = False
        self._clients: WeakKeyDictionary[asyncio.AbstractEventLoop, AsyncRedis] = WeakKeyDictionary()

    def ask(self, work: Callable[[Any], T], otherwise: T) -> T:
        """The result of `work(client)`, or `otherwise` while Redis is away. The log has one line per outage."""
        if self.away:
            return otherwise
        try:
            return work(get_redis_connection("default"))
        except (RedisError, OSError) as error:
            self._lost(error)
            return otherwise

    async def aask(self, work: Callable[[Any], Awaitable[T]], otherwise: T) -> T:
        """As `ask`, from the event loop, where it costs no thread. (django-redis has no async; Django's is a thread hop.)"""
        if self.away:
            return otherwise
        try:
            return await work(self._client())
        except (RedisError, OSError) as error:
            self._lost(error)
            return otherwise

    def _client(self) -> AsyncRedis:
        """The running event loop's client, on the server of the cache."""
        loop = asyncio.get_running_loop()
        client = self._clients.get(loop)
        if client is None:
            facts: dict[str, Any] = settings.CACHES["default"]
            patience = facts["OPTIONS"]["SOCKET_TIMEOUT"]
            pool = BlockingConnectionPool.from_url(
                facts["LOCATION"], max_connections=CONNECTIONS, socket_timeout=patience, socket_connect_timeout=patience
            )
            client = self._clients[loop] = AsyncRedis(connection_pool=pool)
        return client

    def _lost(self, error: Exception) -> None:
        with self._lock:
            if self.away:
                return
            self.away = True
        logger.warning("cache_unavailable", error=repr(error))
        threading.Thread(target=self._wait, name="cache", daemon=True).start()

    def _wait(self) -> None:
        """Look until it answers. It may have missed events, or come back with what it once saved: forget what it holds."""
        while True:
            time.sleep(RETRY_AFTER)
            try:
                for pattern in ("market:*", "stamp:*"):
                    cache.delete_pattern(pattern)  # type: ignore[attr-defined]  # django-redis
            except (RedisError, OSError):
                continue
            self.away = False
            logger.info("cache_available")
            return


redis = Redis()
