"""The cache's server, through django-redis; and what to do while it does not answer."""

import asyncio
import contextlib
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
    """The cache's server, treated as absent from when it does not answer until it does and has heard what it missed."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.away = False
        self.returning: list[
            Callable[[], None]
        ] = []  # each tells it what it missed; called again when it is no longer away
        self._run: str | None = None  # which start of the server this is
        self._clients: WeakKeyDictionary[asyncio.AbstractEventLoop, AsyncRedis] = (
            WeakKeyDictionary()
        )

    def ask(self, work: Callable[[Any], T], otherwise: T) -> T:
        """The result of `work(client)`, or `otherwise` while Redis is away. The log has one line per outage."""
        if self.away:
            return otherwise
        try:
            client = get_redis_connection("default")
            self._run = self._run or client.info("server")["run_id"]
            return work(client)
        except (RedisError, OSError) as error:
            self._lost(error)
            return otherwise

    async def aask(self, work: Callable[[Any], Awaitable[T]], otherwise: T) -> T:
        """As `ask`, from the event loop, where it costs no thread. (django-redis has no async; Django's is a thread hop.)"""
        if self.away:
            return otherwise
        try:
            client = self._client()
            self._run = self._run or (await client.info("server"))["run_id"]
            return await work(client)
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
                facts["LOCATION"],
                max_connections=CONNECTIONS,
                timeout=patience,
                socket_timeout=patience,
                socket_connect_timeout=patience,
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
        """Look until it answers."""
        while self.away:
            time.sleep(RETRY_AFTER)
            with contextlib.suppress(RedisError, OSError, TimeoutError):
                self._back()

    def _back(self) -> None:
        """It may have been started anew with what it once saved, and has missed events."""
        client = get_redis_connection("default")
        client.connection_pool.disconnect()  # each that died meanwhile would be an outage of its own
        run = client.info("server")["run_id"]
        emptied = cache.make_key(f"emptied:{run}")
        if run != self._run and not client.exists(emptied):
            cache.delete_pattern("market:*", itersize=1000)  # type: ignore[attr-defined]  # django-redis
            client.set(emptied, b"1", ex=3600)
        self._run = run
        for loop, waiting in list(self._clients.items()):
            if loop.is_running():
                idle = waiting.connection_pool.disconnect(inuse_connections=False)
                asyncio.run_coroutine_threadsafe(idle, loop).result(1)
        for tell in self.returning:
            tell()
        self.away = False
        for tell in self.returning:  # what was missed while they were told
            tell()
        logger.info("cache_available")


redis = Redis()
