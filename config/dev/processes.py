"""The parts of a demo as child processes, which end together."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

from config.dev import embedded
from config.env import BASE_DIR

START_SECONDS: Final = 60
STOP_SECONDS: Final = 15  # then the part is killed


class PartDied(Exception):
    """A part ended or did not start; the message says which and why."""


class Parts:
    """Child processes by name, each a process group of its own that writes `logs/<name>.log`."""

    def __init__(self, logs: Path) -> None:
        self.logs = logs
        self.running: dict[str, embedded.Process] = {}
        logs.mkdir(parents=True, exist_ok=True)

    def start(self, name: str, arguments: list[str], environment: Mapping[str, str] = {}) -> None:
        self.running[name] = embedded.spawn(
            [sys.executable, "-m", *arguments],
            self.logs / f"{name}.log",
            signal.SIGTERM,
            cwd=BASE_DIR,
            env={**os.environ, **environment, "PYTHONUNBUFFERED": "1"},
            stdin=subprocess.DEVNULL,
        )

    def check(self) -> None:
        """Raise PartDied if a part or an embedded server has ended."""
        for name, process in {**embedded.running, **self.running}.items():
            code = process.poll()
            if code is None:
                continue
            killed = f"was ended by {signal.Signals(-code).name}" if code < 0 else ""
            end = killed or f"exited with code {code}"
            log = self.logs / f"{name}.log"
            lines = log.read_text(errors="replace").strip().splitlines() if log.exists() else []
            why = f"Its last line: {lines[-1][:400]} (log: {log})" if lines else "It left no log."
            raise PartDied(f"{name} {end}. {why}")

    def wait_until(self, ready: Callable[[], bool], what: str) -> None:
        """Wait for `ready()`. Raise PartDied after START_SECONDS or when a part ends."""
        deadline = time.monotonic() + START_SECONDS
        while not ready():
            self.check()
            if time.monotonic() > deadline:
                raise PartDied(f"{what} is not ready after {START_SECONDS} s (logs: {self.logs}).")
            time.sleep(0.1)

    def stop(self) -> None:
        """End the parts, the last one first; kill those that take too long."""
        for process in reversed(self.running.values()):
            process.terminate()
        deadline = time.monotonic() + STOP_SECONDS
        for process in self.running.values():
            with suppress(subprocess.TimeoutExpired):
                process.wait(max(0.1, deadline - time.monotonic()))
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # a pool worker that outlived its parent
            process.wait()
        self.running.clear()
