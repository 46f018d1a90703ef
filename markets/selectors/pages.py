"""Pages of a list by keyset: a cursor says where the last page ended, so page 2,000 costs what page 1 costs."""

import base64
import binascii
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from math import isfinite
from typing import Any, Generic, TypeVar

from django.db.models import Model, Q, QuerySet

from markets.domain.errors import Invalid

M = TypeVar("M", bound=Model)


@dataclass(frozen=True)
class Page(Generic[M]):
    """Some rows of a list, and the cursor of what follows (None at the end)."""

    items: list[M]
    next: str | None


def page(rows: QuerySet[M], *, order: Sequence[str], limit: int, cursor: str | None) -> Page[M]:
    """The `limit` rows after `cursor`. `order` names columns as in `order_by`; together they must be unique.

    A column that may be null sorts last when ascending, as in PostgreSQL. Raises Invalid for a cursor that is not ours.
    """
    if cursor:
        rows = rows.filter(_after(order, _decode(cursor, order)))
    found = list(rows.order_by(*order)[: limit + 1])
    more = len(found) > limit
    found = found[:limit]
    return Page(found, _encode(order, found[-1]) if more else None)


def _after(order: Sequence[str], values: list[Any]) -> Q:
    """The rows behind `values` in lexicographic order: the first column is past, or equal and the rest is past."""
    condition = Q(pk__in=[])
    for column, value in reversed(list(zip(order, values, strict=True))):
        name, descending = column.lstrip("-"), column.startswith("-")
        if value is None:  # nulls come last: nothing is past them
            condition = Q(**{f"{name}__isnull": True}) & condition
        else:
            past = Q(**{f"{name}__{'lt' if descending else 'gt'}": value})
            if not descending:
                past |= Q(**{f"{name}__isnull": True})
            condition = past | (Q(**{name: value}) & condition)
    return condition


def _encode(order: Sequence[str], row: Model) -> str:
    values = [getattr(row, column.lstrip("-")) for column in order]
    plain = [value.isoformat() if isinstance(value, datetime) else value for value in values]
    return (
        base64.urlsafe_b64encode(json.dumps([",".join(order), *plain]).encode())
        .decode()
        .rstrip("=")
    )


def _decode(cursor: str, order: Sequence[str]) -> list[Any]:
    """The values in a cursor, each of a type that its column can be compared with."""
    refusal = Invalid(
        cursor="This cursor is not from this list: leave it out to start from the beginning."
    )
    try:
        name, *values = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        if name != ",".join(order) or len(values) != len(order):
            raise refusal
        return [
            _value(column.lstrip("-"), value) for column, value in zip(order, values, strict=True)
        ]
    except (ValueError, TypeError, OverflowError, RecursionError, binascii.Error):
        raise refusal from None


def _value(column: str, value: Any) -> Any:
    if value is None and column == "close_at":
        return None
    if column.endswith("_at"):
        at = datetime.fromisoformat(value)
        if at.tzinfo is None:
            raise ValueError("no time zone")
        return at.astimezone(UTC)
    if column == "score":
        if type(value) is not float or not isfinite(value):
            raise ValueError("not a score")
        return value
    if type(value) is not int or abs(value) >= 2**63:
        raise ValueError("not a whole number")
    return value
