"""The one way from the event loop to the database: a selector or service runs in a pooled thread.

Django's `thread_sensitive=True` has one thread for a Channels process and a new one for each
request; both are slow.
"""

import asyncio
import contextlib
import os
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from functools import cache, partial
from typing import Any, Final, ParamSpec, TypeVar
from weakref import WeakValueDictionary

import psycopg
import structlog
from asgiref.sync import sync_to_async
from django.db import connections

from markets.domain.errors import Busy

P = ParamSpec("P")
T = TypeVar("T")
logger = structlog.get_logger("bellwether")

HOP_SECONDS: float = 15.0  # longer than the statement timeout
IMPORT_SECONDS: Final = 600.0
MAX_CALLERS: Final = 3  # threads that one market may occupy; its row lock admits one trade anyway
WAIT_SECONDS: Final = 3.0

# fewer threads than DATABASE_POOL has connections: the admin needs some, too
_threads = ThreadPoolExecutor(max_workers=12, thread_name_prefix="database")
_gates = WeakValueDictionary[int, asyncio.Semaphore]()  # by market, while a caller holds its gate
_hops: dict[int, tuple[float, Any]] = {}  # by thread: the deadline of its work, its connection


@asynccontextmanager
async def turnstile(market_id: int) -> AsyncIterator[None]:
    """Keep a market whose row is locked from occupying all threads. Raise Busy."""
    gate = _gates.setdefault(market_id, asyncio.Semaphore(MAX_CALLERS))
    try:
        async with asyncio.timeout(WAIT_SECONDS):
            await gate.acquire()
    except TimeoutError:
        raise Busy from None
    try:
        yield
    finally:
        gate.release()


async def in_thread(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Return the result of `work`, run in a thread with a database connection from the pool."""
    return await _hop(partial(work, *args, **kwargs), HOP_SECONDS)


async def in_thread_for_long(work: Callable[[], T]) -> T:
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
    """Cut connections whose work is past the deadline: the waiting thread gets OperationalError.

    The idle connections of the pool are replaced, too: the fault has probably silenced them all.
    """
    while True:
        time.sleep(1)
        for deadline, connection in list(_hops.values()):
            held = connection.connection
            if time.monotonic() > deadline and held is not None and not held.closed:
                logger.warning("database_silent")
                with contextlib.suppress(OSError, psycopg.Error):  # its work ended just now
                    with socket.socket(fileno=os.dup(held.fileno())) as wire:
                        wire.shutdown(socket.SHUT_RDWR)
                    connection.pool.drain()
