"""The one way from the event loop to the database: a whole selector or service in one hop to a pooled thread.

Django's own hop (`thread_sensitive=True`) gives a Channels process a single thread and a request a fresh one; both are slow.
"""

import os
import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from typing import Any, Final, ParamSpec, TypeVar

import structlog
from asgiref.sync import sync_to_async
from django.db import connections

P = ParamSpec("P")
T = TypeVar("T")
logger = structlog.get_logger("bellwether")

HOP_SECONDS: float = 15.0  # more than a statement may take; an import has its own limit
IMPORT_SECONDS: Final = 600.0

_threads = ThreadPoolExecutor(
    max_workers=12, thread_name_prefix="database"
)  # below DATABASE_POOL: pages need some too
_hops: dict[int, tuple[float, Any]] = {}  # by thread: when its hop must be over, and its connection


async def in_thread(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run `work` with a database connection from the pool, and give the connection back."""
    return await _hop(partial(work, *args, **kwargs), HOP_SECONDS)


async def in_thread_for_long(work: Callable[[], T]) -> T:
    """Run `work` as `in_thread` does, with the time that an import needs."""
    return await _hop(work, IMPORT_SECONDS)


async def _hop(work: Callable[[], T], seconds: float) -> T:
    _start_watch()
    run = sync_to_async(_with_connection, thread_sensitive=False, executor=_threads)
    return await run(work, time.monotonic() + seconds)


def _with_connection(work: Callable[[], T], deadline: float) -> T:
    connection, thread = connections["default"], threading.get_ident()
    _hops[thread] = (deadline, connection)
    try:
        return work()
    finally:
        del _hops[thread]
        connection.close()


@cache
def _start_watch() -> None:
    threading.Thread(target=_watch, name="database watch", daemon=True).start()


def _watch() -> None:
    """Cut the connections that have fallen silent: whoever waits for one gets an OperationalError.

    The idle ones of the pool are replaced, too: what silenced one has probably silenced all.
    """
    while True:
        time.sleep(1)
        for deadline, connection in list(_hops.values()):
            held = connection.connection
            if time.monotonic() > deadline and held is not None and not held.closed:
                logger.warning("database_silent")
                with socket.socket(fileno=os.dup(held.fileno())) as wire:
                    wire.shutdown(socket.SHUT_RDWR)
                connection.pool.drain()
