from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from markets.services.ledger import audit_ledger


class Command(BaseCommand):
    help = "Check the ledger, the positions and the event log. Exit code 1 when anything is wrong."

    def handle(self, **_options: Any) -> None:
        run = audit_ledger(now=timezone.now())
        for breach in run.breaches:
            self.stderr.write(f"{breach['check']}: {breach['subject']} {breach['detail']}")
        if run.breaches:
            raise CommandError(f"{len(run.breaches)} breach(es) found.")
        self.stdout.write(f"All {run.checks} checks hold.")
