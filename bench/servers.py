"""The servers that a benchmark drives: each in a process of its own, pinned to one core; the load is on the others."""

from __future__ import annotations

import os
import resource
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from config.dev import embedded
from config.dev.embedded import free_port

SERVER_CORE, LOAD_CORE = 0, 1

ROOM = [
    "--backpressure",
    "20000",
]  # a stream counts as a request, of which granian else works on 1,024 at a time

COMMANDS = {
    "daphne": ["-m", "daphne", "-v", "0", "-b", "127.0.0.1", "-p", "{port}", "{app}"],
    "bellwether": ["-m", "config.daphne", "-b", "127.0.0.1", "-p", "{port}", "{app}"],
    "uvicorn": ["-m", "uvicorn", "--host", "127.0.0.1", "--port", "{port}", "--no-access-log", "--log-level", "warning", "{app}"],
    "granian": ["-m", "granian", "--host", "127.0.0.1", "--port", "{port}", "--interface", "asgi", "--log-level", "warning", *ROOM, "{app}"],
}  # fmt: skip


@contextmanager
def own_database() -> Iterator[None]:
    """Django on a PostgreSQL and a Valkey of this run's own, migrated, whatever the environment names."""
    for name in ("DATABASE_URL", "REDIS_URL"):
        os.environ.pop(name, None)
    os.environ["DATABASE_TIME_LIMITS"] = "0"  # a million rows are filled in by one statement
    with embedded.for_tests():
        import django
        from django.core.management import call_command

        django.setup()
        call_command("migrate", verbosity=0)
        call_command("collectstatic", verbosity=0, interactive=False)
        yield


def many_sockets() -> None:
    """This process and its children may have thousands of them."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(most, 20_000), most))


def take_the_load() -> None:
    """This process is the load: on its own core, with room for thousands of sockets."""
    many_sockets()
    os.sched_setaffinity(0, {LOAD_CORE})


class Served:
    """A running server. `worker` is the process that does the work (granian's is a child)."""

    def __init__(self, process: subprocess.Popen[bytes], port: int) -> None:
        self.process, self.port = process, port
        parent = psutil.Process(process.pid)
        children = [
            child
            for child in parent.children()
            if "resource_tracker" not in " ".join(child.cmdline())
        ]
        self.worker = children[0] if children else parent

    def memory(self) -> int:
        """Resident bytes."""
        return int(self.worker.memory_info().rss)

    def cpu(self) -> float:
        """Seconds of processor time so far."""
        times = self.worker.cpu_times()
        return float(times.user + times.system)


@contextmanager
def serving(server: str, app: str, **environment: str) -> Iterator[Served]:
    """Start `app` under `server`, pinned to one core; end it afterwards."""
    port = free_port()
    arguments = [part.format(port=port, app=app) for part in COMMANDS[server]]
    with started([sys.executable, *arguments], port, **environment) as process:
        yield Served(process, port)


@contextmanager
def started(command: list[str], port: int, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run a command pinned to the server's core until its port answers, and end it afterwards."""
    log = Path(f"/tmp/bellwether-bench-{port}.log").open("w+b")  # noqa: SIM115
    process = subprocess.Popen(
        command,
        env={**os.environ, **environment},
        stdout=log,
        stderr=subprocess.STDOUT,
        preexec_fn=lambda: os.sched_setaffinity(0, {SERVER_CORE}),
    )
    try:
        deadline = time.monotonic() + 30
        while True:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            if process.poll() is not None or time.monotonic() > deadline:
                log.seek(0)
                raise SystemExit(f"{command} did not start:\n{log.read().decode()[-2000:]}")
            time.sleep(0.1)
        time.sleep(0.5)
        yield process
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        log.close()
