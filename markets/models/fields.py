"""Column types of PostgreSQL that Django does not know."""

from typing import Any

from django.db import models


class CurrentTransaction(models.Func):
    """The id of the transaction that writes the row."""

    function = "pg_current_xact_id"
    template = "%(function)s()"
    allowed_default = True
    arity = 0


class TransactionIdField(models.BigIntegerField):  # type: ignore[type-arg]  # not generic when it runs
    """A transaction's id that never wraps around (PostgreSQL's `xid8`), an integer in Python."""

    def db_type(self, connection: Any) -> str:  # noqa: ARG002
        return "xid8"

    def get_db_prep_value(self, value: Any, connection: Any, prepared: bool = False) -> Any:  # noqa: ARG002
        return str(value) if isinstance(value, int) else value

    def from_db_value(self, value: str | None, *_how: Any) -> int | None:
        return None if value is None else int(value)
