"""`make demo`: the whole product in one terminal."""

import json
import secrets
import socket
import time
import urllib.request
from collections.abc import Callable
from functools import partial
from io import StringIO
from typing import Any, Final

import django
from celery import current_app
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command

from config import env
from config.dev.embedded import CannotStart
from config.dev.processes import PartDied, Parts

ADMIN: Final = "admin"
TRADER: Final = "trader"
ACCESS_FILE: Final = env.VAR_DIR / "demo.json"  # the logins and keys of the last start


def run() -> None:
    """Run Bellwether with sample data until Ctrl-C. Raise CannotStart when a part fails."""
    try:
        port = env.number("PORT", 8000, least=1)
        crowd = env.flag("CROWD", default=True)
    except ImproperlyConfigured as error:
        raise CannotStart(str(error)) from None
    check_port(port)
    django.setup()
    step("Database migrated", "migrate", verbosity=0, interactive=False)
    step("Sample data loaded", "load_sample", stdout=StringIO())
    step("Static files collected", "collectstatic", verbosity=0, interactive=False)
    parts = Parts(env.VAR_DIR / "log")
    try:
        access = start(parts, port)
        if crowd:
            parts.start("crowd", ["manage", "crowd", "--sample", access["base_url"]])
            say("A crowd of simulated traders trades (CROWD=0 turns it off)")
        ACCESS_FILE.touch(0o600)
        ACCESS_FILE.write_text(json.dumps(access, indent=2))
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
    """Start the web server, a worker and beat; return the credentials once they answer."""
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
    begun = time.monotonic()
    call_command(command, **options)
    say(f"{done} ({time.monotonic() - begun:.1f} s)")


def say(line: str) -> None:
    print(line, flush=True)  # noqa: T201


def welcome(access: dict[str, str]) -> None:
    url = access["base_url"]
    say(f"""
  Markets   {url}/         {access["trader_username"]} / {access["trader_password"]}
  Admin     {url}/admin/   {access["admin_username"]} / {access["admin_password"]}
  API       {url}/api/v1/docs
            staff key   {access["staff_api_key"]}
            trader key  {access["trader_api_key"]}

Ready on {url} (Ctrl-C ends it; the same facts are in var/demo.json)""")


def check_port(port: int) -> None:
    if port > 65535:
        raise CannotStart(f"PORT={port} is no port: the largest is 65535.")
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            why = f"Port {port} cannot be used ({error.strerror})."
            raise CannotStart(f"{why} Try PORT={port + 1} make demo.") from None


def answers(url: str, key: str = "") -> bool:
    """Return whether the address answers 200."""
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    request = urllib.request.Request(url, headers=headers)  # noqa: S310  (our own address)
    try:
        with urllib.request.urlopen(request, timeout=2) as response:  # noqa: S310
            return bool(response.status == 200)
    except OSError:
        return False


def credentials(url: str) -> dict[str, str]:
    """Return logins and API keys, those of the last start if they still work."""
    from django.contrib.auth import get_user_model

    known: dict[str, str] = json.loads(ACCESS_FILE.read_text()) if ACCESS_FILE.exists() else {}
    users = get_user_model()._default_manager

    def password(name: str, create: Callable[[str], Any]) -> str:
        text = known.get(f"{name}_password") or secrets.token_urlsafe(9)
        user = users.filter(**{users.model.USERNAME_FIELD: name}).first() or create(name)
        if not user.check_password(text):
            user.set_password(text)
            user.save()
        return text

    def key(name: str, owner: str, *scopes: str) -> str:
        old = known.get(name)
        if old and answers(f"{url}/api/v1/me/keys/", old):
            return old
        output = StringIO()
        call_command("issue_key", owner, scope=list(scopes), name="demo", stdout=output)
        return output.getvalue().strip()

    return {
        "base_url": url,
        "admin_username": ADMIN,
        "admin_password": password(
            ADMIN, partial(users.create_superuser, email="admin@example.org")
        ),
        "trader_username": TRADER,
        "trader_password": password(TRADER, users.create_user),
        "staff_api_key": key("staff_api_key", ADMIN, "read", "trade", "staff"),
        "trader_api_key": key("trader_api_key", TRADER, "read", "trade"),
    }
