import asyncio
import contextlib
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from clients.board import Board, NotWatched


class Command(BaseCommand):
    help = "Watch prices move: all markets, or those whose numbers are given. Ctrl-C ends it."

    def add_arguments(self, parser: CommandParser) -> None:
        add = parser.add_argument
        add("markets", nargs="*", type=int, metavar="MARKET")
        add("--url", default=settings.BASE_URL, help="the instance (default: %(default)s)")

    def handle(self, *_args: Any, **options: Any) -> None:
        with contextlib.suppress(KeyboardInterrupt):
            try:
                asyncio.run(Board(options["url"]).run(options["markets"]))
            except NotWatched as refusal:
                raise CommandError(str(refusal)) from None
