"""Locked rows and long statements; the time limits themselves are in the settings."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

from django.db import OperationalError, connection, transaction
from psycopg.errors import LockNotAvailable

from markets.domain.errors import Busy


def raise_busy(error: OperationalError) -> NoReturn:
    """Raise Busy when a row was locked for longer than the lock timeout, or else the error."""
    if isinstance(error.__cause__, LockNotAvailable):
        raise Busy from error
    raise error


@contextmanager
def busy_when_locked() -> Iterator[None]:
    """Turn a lock timeout in the block into Busy."""
    try:
        yield
    except OperationalError as error:
        raise_busy(error)


@contextmanager
def one_snapshot() -> Iterator[None]:
    """Let all statements of the block read the same state of the database."""
    with transaction.atomic(durable=True):
        with connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        yield


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
