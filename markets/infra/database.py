"""Locked rows and long statements; the time limits themselves are in the settings."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import OperationalError, connection
from psycopg.errors import LockNotAvailable

from markets.domain.errors import Busy


@contextmanager
def busy_when_locked() -> Iterator[None]:
    """Raise Busy when a row stays locked for longer than the lock timeout."""
    try:
        yield
    except OperationalError as error:
        if isinstance(error.__cause__, LockNotAvailable):
            raise Busy from error
        raise


@contextmanager
def long_statements() -> Iterator[None]:
    """Lift the statement timeout of this thread's connection, for audits and reports."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('statement_timeout', '0', false)")
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute("RESET statement_timeout")
