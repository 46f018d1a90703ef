"""The one way from the event loop to the database: a whole selector or service in one hop to a pooled thread.

Django's own hop (`thread_sensitive=True`) gives a Channels process a single thread and a request a fresh one; both are slow.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import ParamSpec, TypeVar

from asgiref.sync import sync_to_async
from django.db import connection

P = ParamSpec("P")
T = TypeVar("T")

_threads = ThreadPoolExecutor(max_workers=12, thread_name_prefix="database")  # below DATABASE_POOL: pages need some too


async def in_thread(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run `work` with a database connection from the pool, and give the connection back."""
    run = sync_to_async(_with_connection, thread_sensitive=False, executor=_threads)
    return await run(partial(work, *args, **kwargs))


def _with_connection(work: Callable[[], T]) -> T:
    try:
        return work()
    finally:
        connection.close()
