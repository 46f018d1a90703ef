"""The Redis of the cache, and what happens while it does not answer."""

import asyncio
import contextlib
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
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

RETRY_SECONDS: Final = 1.0


class Redis:
    """After a failure no caller waits for Redis until it answers again."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.away = False
        self.returning: list[Callable[[], None]] = []  # called before and after `away` ends
        self._run: str | None = None  # Redis makes a new id at each start
        self._clients = WeakKeyDictionary[asyncio.AbstractEventLoop, AsyncRedis]()

    def ask(self, work: Callable[[Any], T], otherwise: T) -> T:
        """Return `work(client)`, or `otherwise` while Redis is away. An outage is logged once."""
        if not self.away:
            with self._failure_noted():
                client = get_redis_connection("default")
                self._run = self._run or client.info("server")["run_id"]
                return work(client)
        return otherwise

    async def aask(self, work: Callable[[Any], Awaitable[T]], otherwise: T) -> T:
        """Do as `ask` without a thread (django-redis has no async; Django's uses a thread)."""
        if not self.away:
            with self._failure_noted():
                client = self._client()
                self._run = self._run or (await client.info("server"))["run_id"]
                return await work(client)
        return otherwise

    def _client(self) -> AsyncRedis:
        loop = asyncio.get_running_loop()
        client = self._clients.get(loop)
        if client is None:
            server: dict[str, Any] = settings.CACHES["default"]
            seconds = server["OPTIONS"]["SOCKET_TIMEOUT"]
            pool = BlockingConnectionPool.from_url(
                server["LOCATION"],
                max_connections=50,
                timeout=seconds,
                socket_timeout=seconds,
                socket_connect_timeout=seconds,
            )
            client = self._clients[loop] = AsyncRedis(connection_pool=pool)
        return client

    @contextlib.contextmanager
    def _failure_noted(self) -> Iterator[None]:
        try:
            yield
        except (RedisError, OSError) as error:
            with self._lock:
                if self.away:
                    return
                self.away = True
            logger.warning("cache_unavailable", error=repr(error))
            threading.Thread(target=self._wait, name="cache", daemon=True).start()

    def _wait(self) -> None:
        while self.away:
            time.sleep(RETRY_SECONDS)
            with contextlib.suppress(RedisError, OSError, TimeoutError):
                self._back()

    def _back(self) -> None:
        """Bring Redis up to date; one that started anew may hold old markets, which go."""
        client = get_redis_connection("default")
        client.connection_pool.disconnect()  # a dead connection would be the next outage
        run = client.info("server")["run_id"]
        emptied = cache.make_key(f"emptied:{run}")
        if run != self._run and not client.exists(emptied):
            cache.delete_pattern("market:*", itersize=1000)  # type: ignore[attr-defined]
            client.set(emptied, b"1", ex=3600)
        self._run = run
        for loop, waiting in list(self._clients.items()):
            if loop.is_running():
                idle = waiting.connection_pool.disconnect(inuse_connections=False)
                asyncio.run_coroutine_threadsafe(idle, loop).result(1)
        for tell in self.returning:
            tell()
        self.away = False
        for tell in self.returning:  # events of the meantime
            tell()
        logger.info("cache_available")


redis = Redis()
