"""Running the audit and keeping what it found."""

from dataclasses import asdict
from datetime import datetime

from django.db import connection, transaction

from markets.models import AuditRun
from markets.selectors import audit


def audit_ledger(*, now: datetime) -> AuditRun:
    """Check the whole database in one snapshot, and keep the result where the admin shows it."""
    with transaction.atomic(durable=True):
        with connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            cursor.execute("SET LOCAL statement_timeout = 0")
        found = audit.breaches()
        return AuditRun.objects.create(
            at=now, checks=len(audit.CHECKS), breaches=[asdict(breach) for breach in found]
        )
