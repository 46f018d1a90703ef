"""What every test may use. The world is real: PostgreSQL, Valkey, and sockets where a test says `server`."""

from __future__ import annotations

import contextlib
import functools
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest
from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.hashers import make_password
from django.core.cache import cache
from django.db import connection, connections
from django.test.utils import setup_databases

from config import embedded
from markets import tasks
from markets.hot.memory import memory
from markets.models import Event, Market, Scope
from markets.services import accounts, catalogue

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)  # before any real clock that runs this
LATER = NOW + timedelta(days=3000)


@pytest.fixture(scope="session")
def django_db_setup(
    django_test_environment: None, django_db_blocker: Any, django_db_modify_db_settings: None
) -> Iterator[None]:
    """A migrated test database. It ends with the temporary servers (tests/embedded_services.py)."""
    with django_db_blocker.unblock():
        setup_databases(verbosity=0, interactive=False, aliases={"default"}, serialized_aliases=set())
    yield
    connections["default"].close_pool()


KEPT = {"django_migrations", "django_content_type", "auth_permission"}


@pytest.fixture
def world(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """An empty database and Redis with real transactions: what commits is seen by every thread and process."""
    with django_db_blocker.unblock(), emptied():
        yield


@contextlib.contextmanager
def emptied() -> Iterator[None]:
    """Begins with an empty Redis and ends with an empty database."""
    cache.clear()
    memory.clear()
    try:
        yield
    finally:
        tables = sorted(set(connection.introspection.table_names()) - KEPT)
        with connection.cursor() as cursor:  # as fast as a roll-back; TRUNCATE of twenty tables takes a tenth of a second
            cursor.execute(
                "SET session_replication_role = replica; "
                + "".join(f'DELETE FROM "{table}"; ' for table in tables)
                + "RESET session_replication_role"
            )
        connection.close()


PASSWORD = "correct horse battery staple"
hashed = functools.cache(make_password)  # slow on purpose, so once


def person(name: str, **facts: Any) -> Any:
    user = get_user_model()(username=name, email=f"{name}@example.org", password=hashed(PASSWORD), **facts)
    user.save()
    return user


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

    def make(name: str = "Will it rain?", **facts: Any) -> Market:
        facts.setdefault("status", "active")
        return catalogue.create_market(actor=None, now=facts.pop("now", NOW), name=name, **facts)

    return make


@pytest.fixture
def market(make_market: Callable[..., Market]) -> Market:
    return make_market()


def react_to_all() -> None:
    """What a worker would do now."""
    for event in Event.objects.filter(pending=True).order_by("pk"):
        tasks.react(event.pk)


def key_for(user: Any, *scopes: str) -> str:
    return accounts.issue_key(user=user, now=NOW, name="test", scopes=scopes or ("read",))[1]


@pytest.fixture
def staff_key(alice: Any) -> str:
    return key_for(alice, *Scope.values)


def check_problem(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    assert answer.headers["Content-Type"] == "application/problem+json", answer.text
    problem: dict[str, Any] = answer.json()
    assert {"type", "title", "status", "detail", "code", "request_id"} <= set(problem)
    assert (answer.status_code, problem["status"], problem["code"]) == (status, status, code), problem
    assert problem["request_id"] == answer.headers["X-Request-ID"]
    return problem


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


@pytest.fixture
async def client(world: None) -> AsyncIterator[httpx.AsyncClient]:
    """Nobody in particular, talking to the whole ASGI application."""
    from config.asgi import application

    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=application), base_url="http://testserver") as client:
        yield client


@pytest.fixture
async def staff(client: httpx.AsyncClient, staff_key: str) -> httpx.AsyncClient:
    """Alice, through her key."""
    client.headers.update(bearer(staff_key))
    return client


class Process:
    """A part of Bellwether in a process of its own, on this test's database and Redis."""

    def __init__(self, *arguments: str, **environment: str) -> None:
        database = settings.DATABASES["default"]
        url = "postgresql://{USER}:{PASSWORD}@{HOST}:{PORT}/".format(**database) + connection.settings_dict["NAME"]
        self.log = open(f"/tmp/bellwether-test-{os.getpid()}-{uuid4().hex}.log", "w+b")
        self.child = subprocess.Popen(
            [sys.executable, "-m", *arguments],
            env={**os.environ, "DATABASE_URL": url, "ALLOWED_HOSTS": "*", **environment},
            stdin=subprocess.DEVNULL,
            stdout=self.log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def output(self) -> str:
        self.log.flush()
        with open(self.log.name, errors="replace") as file:
            return file.read()

    def end(self) -> None:
        self.child.terminate()
        try:
            self.child.wait(15)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.child.pid, signal.SIGKILL)  # pool workers that outlived it
        self.log.close()
        os.unlink(self.log.name)


def wait_for(condition: Callable[[], Any], seconds: float = 15.0) -> Any:
    """Poll until `condition` gives something true; fail after `seconds`."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if result := condition():
            return result
        time.sleep(0.05)
    raise AssertionError(f"not within {seconds} s: {condition}")


class Server(Process):
    """The web server on a real socket."""

    def __init__(self, module: str = "config.server", **environment: str) -> None:
        self.port = embedded.free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        arguments = (module, "-v", "0", "-b", "127.0.0.1", "-p", str(self.port), "config.asgi:application")
        super().__init__(*arguments, BASE_URL=self.url, **environment)

        def answers() -> bool:
            assert self.child.poll() is None, self.output()
            try:
                return httpx.get(f"{self.url}/healthz").status_code == 200
            except httpx.TransportError:
                return False

        wait_for(answers, 30)


@pytest.fixture(scope="session")
def _server(django_db_setup: None, django_db_blocker: Any) -> Iterator[Server]:
    with django_db_blocker.unblock():
        server = Server()
    yield server
    server.end()


@pytest.fixture
def server(world: None, _server: Server) -> Server:
    """Daphne in a process of its own."""
    return _server


@pytest.fixture
def worker(world: None) -> Iterator[Process]:
    """A Celery worker with beat in a process of its own."""
    process = Process("celery", "-A", "config", "worker", "-B", "--concurrency", "2", "-s", f"/tmp/beat-{os.getpid()}")
    wait_for(lambda: "ready" in process.output(), 30)
    yield process
    process.end()
