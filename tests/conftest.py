"""What every test may use. The world is real: PostgreSQL, Valkey, and sockets where a test says `server`."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import httpx
import pytest
from django.db import connections
from django.test.utils import setup_databases

from markets.live import doorbell
from markets.models import Market, Scope
from tests.support import factory
from tests.support.database import emptied
from tests.support.people import bearer, key_for, person
from tests.support.processes import Process, Server, wait_for


@pytest.fixture(scope="session")
def django_db_setup(
    django_test_environment: None, django_db_blocker: Any, django_db_modify_db_settings: None
) -> Iterator[None]:
    """A migrated test database. It ends with the temporary servers (tests/support/services.py)."""
    with django_db_blocker.unblock():
        setup_databases(
            verbosity=0, interactive=False, aliases={"default"}, serialized_aliases=set()
        )
    yield
    connections["default"].close_pool()


@pytest.fixture
def world(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """An empty database and Redis with real transactions: what commits is seen by every thread and process."""
    with django_db_blocker.unblock(), emptied():
        yield


@pytest.fixture
def alice(world: None) -> Any:
    """Staff: she writes and manages markets."""
    return person("alice", is_staff=True, is_superuser=True)


@pytest.fixture
def bob(world: None) -> Any:
    """Somebody who trades and is not staff."""
    return person("bob")


@pytest.fixture
def make_market(world: None) -> Callable[..., Market]:
    """Creates markets as staff would: through the service."""
    return factory.make_market


@pytest.fixture
def market(make_market: Callable[..., Market]) -> Market:
    return make_market()


@pytest.fixture
def staff_key(alice: Any) -> str:
    return key_for(alice, *Scope.values)


@pytest.fixture
async def client(world: None) -> AsyncIterator[httpx.AsyncClient]:
    """Nobody in particular, talking to the whole ASGI application."""
    from config.asgi import application

    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app=application), base_url="http://testserver"
    ) as client:
        yield client


@pytest.fixture
async def staff(client: httpx.AsyncClient, staff_key: str) -> httpx.AsyncClient:
    """Alice, through her key."""
    client.headers.update(bearer(staff_key))
    return client


@pytest.fixture(scope="session")
def _server(django_db_setup: None, django_db_blocker: Any) -> Iterator[Server]:
    with django_db_blocker.unblock():
        server = Server()
    yield server
    server.end()


@pytest.fixture
def server(world: None, _server: Server) -> Iterator[Server]:
    """Daphne in a process of its own. It outlives the test, whose pages it would show a second longer."""
    yield _server
    for market_id in Market.objects.values_list("pk", flat=True):
        doorbell.ring({"type": "forgotten", "market_id": market_id, "seq": 0})


@pytest.fixture
def worker(world: None) -> Iterator[Process]:
    """A Celery worker with beat in a process of its own."""
    process = Process(
        "celery",
        "-A",
        "config",
        "worker",
        "-B",
        "--concurrency",
        "2",
        "-s",
        f"/tmp/beat-{os.getpid()}",
    )
    wait_for(lambda: "ready" in process.output(), 30)
    yield process
    process.end()
