"""Column types of PostgreSQL that Django does not know, and short forms."""

from typing import Any, Final

from django.conf import settings
from django.db import models

USER: Final = settings.AUTH_USER_MODEL


class CurrentTransaction(models.Func):
    function = "pg_current_xact_id"
    template = "%(function)s()"
    allowed_default = True
    arity = 0


class TransactionIdField(models.BigIntegerField):  # type: ignore[type-arg]  # not generic at run time
    """A transaction id that never wraps around; an int in Python."""

    def db_type(self, connection: Any) -> str:  # noqa: ARG002
        return "xid8"

    def get_db_prep_value(self, value: Any, connection: Any, prepared: bool = False) -> Any:  # noqa: ARG002
        return str(value) if isinstance(value, int) else value

    def from_db_value(self, value: str | None, *_: Any) -> int | None:
        return None if value is None else int(value)


def check(name: str, condition: models.Q) -> models.CheckConstraint:
    return models.CheckConstraint(condition=condition, name=name)


def unique(
    name: str,
    *fields: str,
    condition: models.Q | None = None,
    deferrable: models.Deferrable | None = None,
) -> models.UniqueConstraint:
    return models.UniqueConstraint(
        fields=fields, name=name, condition=condition, deferrable=deferrable
    )
