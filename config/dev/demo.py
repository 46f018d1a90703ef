"""`make demo`: the whole product in one terminal."""

import json
import os
import secrets
import socket
import time
import urllib.error
import urllib.request
from io import StringIO
from pathlib import Path
from typing import Any, Final

from django.core.exceptions import ImproperlyConfigured

from config import env
from config.dev.embedded import CannotStart
from config.dev.processes import PartDied, Parts

ADMIN: Final = "admin"
TRADER: Final = "trader"
ACCESS_FILE: Final = env.VAR_DIR / "demo.json"  # the logins and keys of the last start


def run() -> None:
    """Run Bellwether with sample data until Ctrl-C. Raise CannotStart with the reason when it ends by itself."""
    try:
        port = env.number("PORT", 8000, least=1)
        crowd = env.flag("CROWD", default=True)
    except ImproperlyConfigured as error:
        raise CannotStart(str(error)) from None
    check_port(port)

    import django

    django.setup()
    step("Database migrated", "migrate", verbosity=0, interactive=False)
    step("Sample data loaded", "load_sample", stdout=StringIO())
    step("Static files collected", "collectstatic", verbosity=0, interactive=False)
    parts = Parts(env.VAR_DIR / "log")
    try:
        access = start(parts, port)
        if crowd:
            parts.start("crowd", ["manage", "crowd", access["base_url"]])
            say("A crowd of simulated traders trades (CROWD=0 turns it off)")
        write_private(ACCESS_FILE, access)
        welcome(access)
        while True:
            time.sleep(0.3)
            parts.check()
    except PartDied as error:
        raise CannotStart(f"{error} So everything was ended.") from None
    finally:
        say("Stopping …")
        parts.stop()


def start(parts: Parts, port: int) -> dict[str, str]:
    """Start the web server, a worker and beat; return how to reach them, once they answer."""
    from celery import current_app

    begun = time.monotonic()
    url = f"http://127.0.0.1:{port}"
    base = {"BASE_URL": url}
    web = ["config.daphne", "-v", "0", "-b", "127.0.0.1", "-p", str(port)]
    parts.start("web", [*web, "config.asgi:application"], base)
    parts.start("worker", ["celery", "-A", "config", "worker", "--concurrency", "2"], base)
    parts.start("beat", ["celery", "-A", "config", "beat"], base)
    parts.wait_until(lambda: answers(f"{url}/readyz"), "the web server")
    parts.wait_until(lambda: bool(current_app.control.ping(timeout=0.3)), "the worker")
    say(f"Web server, worker and beat started ({time.monotonic() - begun:.1f} s), logs in var/log")
    return credentials(url)


def step(done: str, command: str, **options: Any) -> None:
    """Run a management command and say how long it took."""
    from django.core.management import call_command

    begun = time.monotonic()
    call_command(command, **options)
    say(f"{done} ({time.monotonic() - begun:.1f} s)")


def say(line: str) -> None:
    print(line, flush=True)  # noqa: T201


def welcome(access: dict[str, str]) -> None:
    """Print where everything is, and the line that says that it is ready."""
    url = access["base_url"]
    say("")
    say(f"  Markets   {url}/")
    say(f"  Admin     {url}/admin/   {access['admin_username']} / {access['admin_password']}")
    say(f"  API       {url}/api/v1/docs")
    say(f"            staff key   {access['staff_api_key']}")
    say(f"            trader key  {access['trader_api_key']}")
    say("")
    say(f"Ready on {url} (Ctrl-C ends it; the same facts are in var/demo.json)")


def check_port(port: int) -> None:
    """Raise CannotStart when another program listens on the port already."""
    if port > 65535:
        raise CannotStart(f"PORT={port} is no port: the largest is 65535.")
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise CannotStart(
                f"Port {port} cannot be used ({error.strerror}). Try PORT={port + 1} make demo."
            ) from None


def answers(url: str, key: str = "") -> bool:
    """Return whether the address answers 200, asked with the API key if one is given."""
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    request = urllib.request.Request(url, headers=headers)  # noqa: S310  (our own address)
    try:
        with urllib.request.urlopen(request, timeout=2) as response:  # noqa: S310
            return bool(response.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def credentials(url: str) -> dict[str, str]:
    """Return an admin login and keys that work: those of the last start where they still do."""
    from django.contrib.auth import get_user_model

    known = json.loads(ACCESS_FILE.read_text()) if ACCESS_FILE.exists() else {}
    users = get_user_model()._default_manager
    admin = users.filter(**{users.model.USERNAME_FIELD: ADMIN}).first()
    password = known.get("admin_password") or secrets.token_urlsafe(9)
    if admin is None:
        users.create_superuser(ADMIN, "admin@example.org", password)
    elif not admin.check_password(password):
        admin.set_password(password)
        admin.save()
    if not users.filter(**{users.model.USERNAME_FIELD: TRADER}).exists():
        users.create_user(TRADER)

    def key(name: str, owner: str, *scopes: str) -> str:
        held: str = known.get(name, "")
        return held if held and answers(f"{url}/api/v1/me/keys/", held) else new_key(owner, scopes)

    return {
        "base_url": url,
        "admin_username": ADMIN,
        "admin_password": password,
        "staff_api_key": key("staff_api_key", ADMIN, "read", "trade", "staff"),
        "trader_api_key": key("trader_api_key", TRADER, "read", "trade"),
    }


def new_key(owner: str, scopes: tuple[str, ...]) -> str:
    """Issue an API key as an operator would."""
    from django.core.management import call_command

    output = StringIO()
    call_command("issue_key", owner, scope=list(scopes), name="demo", stdout=output)
    return output.getvalue().strip()


def write_private(file: Path, facts: dict[str, str]) -> None:
    """Write secrets where only their owner reads them."""
    with open(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as output:
        json.dump(facts, output, indent=2)
