"""Run the audit and store its result."""

from dataclasses import asdict
from datetime import datetime

from django.db import connection, transaction

from markets.models import AuditRun
from markets.selectors import audit


def audit_ledger(*, now: datetime) -> AuditRun:
    """Audit the database in one snapshot and return the stored result."""
    with transaction.atomic(durable=True):
        with connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            cursor.execute("SET LOCAL statement_timeout = 0")
        breaches = [asdict(breach) for breach in audit.breaches()]
        return AuditRun.objects.create(at=now, checks=len(audit.CHECKS), breaches=breaches)
