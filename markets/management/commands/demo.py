"""`make demo`: the whole product in one terminal."""

from __future__ import annotations

import json
import os
import secrets
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from io import StringIO
from pathlib import Path
from typing import Any, Final

from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.base_user import AbstractBaseUser
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from config import env
from config.celery import app
from config.processes import PartDied, Parts
from markets.errors import Refused
from markets.models import Scope
from markets.services import accounts

ADMIN: Final = "admin"
TRADER: Final = "trader"


class Command(BaseCommand):
    help = "Run Bellwether with sample data until Ctrl-C."

    def handle(self, **_options: Any) -> None:
        try:
            port = env.number("PORT", 8000, least=1)
        except ImproperlyConfigured as error:
            raise CommandError(str(error)) from None
        check_port(port)
        self._step("Database migrated", "migrate", verbosity=0, interactive=False)
        self._step("Sample data loaded", "load_sample", stdout=StringIO())
        self._step("Static files collected", "collectstatic", verbosity=0, interactive=False)
        crowd = _flag("CROWD", default=True)
        access = credentials(settings.VAR_DIR / "demo.json", f"http://127.0.0.1:{port}")
        parts = Parts(settings.VAR_DIR / "log")
        try:
            begun = time.monotonic()
            base = {"BASE_URL": access["base_url"]}
            parts.start(
                "web", ["config.server", "-v", "0", "-b", "127.0.0.1", "-p", str(port), "config.asgi:application"], base
            )
            parts.start("worker", ["celery", "-A", "config", "worker", "--concurrency", "2"], base)
            parts.start("beat", ["celery", "-A", "config", "beat"], base)
            parts.wait_until(lambda: answers(access["base_url"] + "/readyz"), "the web server")
            parts.wait_until(lambda: bool(app.control.ping(timeout=0.3)), "the worker")
            self._say(f"Web server, worker and beat started ({time.monotonic() - begun:.1f} s), logs in var/log")
            if crowd:
                parts.start("crowd", ["manage", "crowd", access["base_url"]])
                self._say("A crowd of simulated traders trades (CROWD=0 turns it off)")
            write_private(settings.VAR_DIR / "demo.json", access)
            self._welcome(access)
            while True:
                time.sleep(0.3)
                parts.check()
        except PartDied as error:
            raise CommandError(f"{error} So everything was ended.") from None
        finally:
            self._say("Stopping …")
            parts.stop()

    def _step(self, done: str, command: str, **options: Any) -> None:
        begun = time.monotonic()
        call_command(command, **options)
        self._say(f"{done} ({time.monotonic() - begun:.1f} s)")

    def _say(self, line: str) -> None:
        self.stdout.write(line)
        self.stdout.flush()

    def _welcome(self, access: dict[str, str]) -> None:
        self._say("")
        self._say(f"  Markets   {access['base_url']}/")
        self._say(f"  Admin     {access['base_url']}/admin/   {access['admin_username']} / {access['admin_password']}")
        self._say(f"  API       {access['base_url']}/api/v1/docs")
        self._say(f"            staff key   {access['staff_api_key']}")
        self._say(f"            trader key  {access['trader_api_key']}")
        self._say("")
        self._say(f"Ready on {access['base_url']} (Ctrl-C ends it; the same facts are in var/demo.json)")


def _flag(name: str, *, default: bool) -> bool:
    try:
        return env.flag(name, default=default)
    except ImproperlyConfigured as error:
        raise CommandError(str(error)) from None


def check_port(port: int) -> None:
    """Raise CommandError when somebody listens on the port already."""
    if port > 65535:
        raise CommandError(f"PORT={port} is no port: the largest is 65535.")
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise CommandError(f"Port {port} cannot be used ({error.strerror}). Try PORT={port + 1} make demo.") from None


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as response:  # noqa: S310  (our own address)
            return bool(response.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def credentials(file: Path, base_url: str) -> dict[str, str]:
    """An admin login and a staff key that work: those of the last start if they still do, otherwise new ones."""
    known = json.loads(file.read_text()) if file.exists() else {}
    users = get_user_model()._default_manager
    admin = users.filter(**{users.model.USERNAME_FIELD: ADMIN}).first()
    password = known.get("admin_password") or secrets.token_urlsafe(9)
    if admin is None:
        admin = users.create_superuser(ADMIN, "admin@example.org", password)
    elif not admin.check_password(password):
        admin.set_password(password)
        admin.save()
    trader = users.filter(**{users.model.USERNAME_FIELD: TRADER}).first() or users.create_user(TRADER)
    return {
        "base_url": base_url,
        "admin_username": ADMIN,
        "admin_password": password,
        "staff_api_key": _key(known.get("staff_api_key", ""), admin, Scope.values),
        "trader_api_key": _key(known.get("trader_api_key", ""), trader, [Scope.READ, Scope.TRADE]),
    }


def _key(known: str, user: AbstractBaseUser, scopes: Sequence[str]) -> str:
    """The key of the last start if it still works, otherwise a new one."""
    now = timezone.now()
    try:
        accounts.recognise_key(secret=known, now=now)
    except Refused:
        return accounts.issue_key(user=user, now=now, name="demo", scopes=scopes)[1]
    return known


def write_private(file: Path, facts: dict[str, str]) -> None:
    """Write secrets where only their owner reads them."""
    with open(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as output:
        json.dump(facts, output, indent=2)
