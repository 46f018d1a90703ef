import asyncio
from argparse import ArgumentParser
from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from clients import bots
from clients.people import PEOPLE
from markets.models import Scope
from markets.services import keys


class Command(BaseCommand):
    help = "Trade with simulated traders. Without --key they are made in this instance's database."

    def add_arguments(self, parser: ArgumentParser) -> None:
        add = parser.add_argument
        local = "http://127.0.0.1:8000"
        add("url", nargs="?", default=local, help="the instance (default: %(default)s)")
        many = "an API key with the scope trade; repeat for more traders"
        add("--key", action="append", default=[], help=many)
        add("--sample", action="store_true", help="be the traders of the sample data")
        add("--traders", type=int, default=12, help="how many to make where no key is given")
        add("--per-second", type=float, default=2.0, help="actions of all traders together")
        add("--seconds", type=float, help="stop after so long (default: run until ended)")

    def handle(
        self,
        *,
        url: str,
        key: list[str],
        sample: bool,
        traders: int,
        per_second: float,
        seconds: float | None,
        **_options: Any,
    ) -> None:
        if per_second <= 0 or traders < 1:
            raise CommandError("--per-second and --traders must be more than 0.")
        made_up = [f"crowd-{number:02}" for number in range(1, traders + 1)]
        names = [person.name for person in PEOPLE] if sample else made_up
        secrets = key or [make_trader(name) for name in names]
        try:
            made = asyncio.run(bots.run(url, secrets, per_second=per_second, seconds=seconds))
        except PermissionError as error:
            raise CommandError(f"The server refused a key: {error}") from None
        self.stdout.write(f"{made} trades made.")


def make_trader(name: str) -> str:
    """Return a new API key of a user who cannot sign in; revoke the user's earlier keys."""
    users = get_user_model()._default_manager
    user = users.filter(**{users.model.USERNAME_FIELD: name}).first() or users.create_user(name)
    now = timezone.now()
    for earlier in user.api_keys.filter(name="crowd", revoked_at=None):
        keys.revoke_key(user=user, key_id=earlier.pk, now=now)
    return keys.issue_key(user=user, now=now, name="crowd", scopes=[Scope.READ, Scope.TRADE])[1]
