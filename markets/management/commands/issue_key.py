from argparse import ArgumentParser
from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from markets.domain.errors import Refused
from markets.models import Scope
from markets.services import keys


class Command(BaseCommand):
    help = "Issue an API key for a user and print it. The database stores only a hash of the key."

    def add_arguments(self, parser: ArgumentParser) -> None:
        add = parser.add_argument
        add("user", help="the user's name")
        more = "repeat for more (default: read)"
        add("--scope", action="append", choices=Scope.values, help=more)
        add("--name", default="command line", help="what the key is for")

    def handle(self, *, user: str, scope: list[str] | None, name: str, **_options: Any) -> None:
        users = get_user_model()._default_manager
        owner = users.filter(**{users.model.USERNAME_FIELD: user}).first()
        if owner is None:
            raise CommandError(f"There is no user {user!r}. manage.py createsuperuser makes one.")
        try:
            scopes = scope or [Scope.READ]
            _, secret = keys.issue_key(user=owner, now=timezone.now(), name=name, scopes=scopes)
        except Refused as refusal:
            raise CommandError(str(refusal)) from None
        self.stdout.write(secret)
