"""Parts of Bellwether in processes of their own."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import httpx
from django.conf import settings
from django.db import connection

from config.dev import embedded


class Process:
    """A part of Bellwether in a process of its own, on this test's database and Redis."""

    def __init__(self, *arguments: str, **environment: str) -> None:
        database = settings.DATABASES["default"]
        url = (
            "postgresql://{USER}:{PASSWORD}@{HOST}:{PORT}/".format(**database)
            + connection.settings_dict["NAME"]
        )
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

    def __init__(self, module: str = "config.daphne", *, port: int = 0, **environment: str) -> None:
        self.port = port or embedded.free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        arguments = (
            module,
            "-v",
            "0",
            "-b",
            "127.0.0.1",
            "-p",
            str(self.port),
            "config.asgi:application",
        )
        super().__init__(*arguments, BASE_URL=self.url, **environment)

        def answers() -> bool:
            assert self.child.poll() is None, self.output()
            try:
                return httpx.get(f"{self.url}/healthz").status_code == 200
            except httpx.TransportError:
                return False

        wait_for(answers, 30)


@contextlib.contextmanager
def serving(*arguments: str, **environment: str) -> Iterator[Server]:
    server = Server(*arguments, **environment)
    try:
        yield server
    finally:
        server.end()
