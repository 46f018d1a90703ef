"""Runs the parts of a demo as child processes and ends them together."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from config.dev import embedded
from config.env import BASE_DIR

POLITE: float = 15.0  # seconds to end by itself before it is killed


class PartDied(Exception):
    """A part ended while the others were running; the message says which and why."""


class Parts:
    """Named child processes, each in a process group of its own, with its output in `logs/<name>.log`."""

    def __init__(self, logs: Path) -> None:
        self.logs = logs
        self.running: dict[str, subprocess.Popen[bytes]] = {}
        logs.mkdir(parents=True, exist_ok=True)

    def start(self, name: str, arguments: list[str], environment: Mapping[str, str] = {}) -> None:
        """Start `python -m <arguments>`."""
        with (self.logs / f"{name}.log").open("wb") as output:
            self.running[name] = subprocess.Popen(
                [sys.executable, "-m", *arguments],
                cwd=BASE_DIR,
                env={**os.environ, **environment, "PYTHONUNBUFFERED": "1"},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C reaches only us, and we end them in order
                preexec_fn=embedded.end_with_parent(signal.SIGTERM),
            )

    def check(self) -> None:
        """Raise PartDied if any part, or an embedded server, has ended."""
        for name, process in {**embedded.running, **self.running}.items():
            code = process.poll()
            if code is not None:
                how = (
                    f"was ended by {signal.Signals(-code).name}"
                    if code < 0
                    else f"ended with exit code {code}"
                )
                raise PartDied(f"{name} {how}. {self._last_words(name)}")

    def _last_words(self, name: str) -> str:
        log = self.logs / f"{name}.log"
        lines = log.read_text(errors="replace").strip().splitlines() if log.exists() else []
        return f"Its last line: {lines[-1][:400]} (log: {log})" if lines else "It left no log."

    def wait_until(self, ready: Callable[[], bool], what: str, patience: float = 60.0) -> None:
        """Poll `ready`; raise PartDied when a part ends meanwhile or `patience` seconds pass."""
        deadline = time.monotonic() + patience
        while not ready():
            self.check()
            if time.monotonic() > deadline:
                raise PartDied(
                    f"{what} was not ready after {patience:.0f} s; the logs are in {self.logs}."
                )
            time.sleep(0.1)

    def stop(self) -> None:
        """End every part, the last one started first: politely, then not."""
        for process in reversed(self.running.values()):
            if process.poll() is None:
                process.terminate()
        deadline = time.monotonic() + POLITE
        for process in self.running.values():
            with suppress(subprocess.TimeoutExpired):
                process.wait(max(0.1, deadline - time.monotonic()))
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # a pool worker that outlived its parent
            process.wait()
        self.running.clear()
