"""Keyset pagination: a cursor says where the last page ended, so every page costs the same."""

import base64
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
    items: list[M]
    next: str | None  # the following page's cursor


def page(rows: QuerySet[M], *, order: Sequence[str], limit: int, cursor: str | None) -> Page[M]:
    """Raise Invalid for a cursor of another list.

    `order` names columns as `order_by` does; together they must be unique. As in PostgreSQL, nulls
    of an ascending column come last.
    """
    if cursor:
        rows = rows.filter(_after(order, _decode(cursor, order)))
    found = list(rows.order_by(*order)[: limit + 1])
    more = len(found) > limit
    return Page(found[:limit], _encode(order, found[limit - 1]) if more else None)


def _after(order: Sequence[str], values: list[Any]) -> Q:
    """Return the rows after `values` in lexicographic order."""
    condition = Q(pk__in=[])
    for column, value in reversed(list(zip(order, values, strict=True))):
        name = column.lstrip("-")
        if value is None:  # nulls come last: no value is past null
            condition &= Q(**{f"{name}__isnull": True})
            continue
        past = Q(**{f"{name}__lt": value})
        if column == name:
            past = Q(**{f"{name}__gt": value}) | Q(**{f"{name}__isnull": True})
        condition = past | (Q(**{name: value}) & condition)
    return condition


def _encode(order: Sequence[str], row: Model) -> str:
    values = [getattr(row, column.lstrip("-")) for column in order]
    plain = [value.isoformat() if isinstance(value, datetime) else value for value in values]
    text = json.dumps([",".join(order), *plain])
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _decode(cursor: str, order: Sequence[str]) -> list[Any]:
    """Return each value with the type of its column."""
    message = "This cursor is not from this list: leave it out to start from the beginning."
    refusal = Invalid(cursor=message)
    try:
        name, *values = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        if name != ",".join(order):
            raise refusal
        pairs = zip(order, values, strict=True)
        return [_value(column.lstrip("-"), value) for column, value in pairs]
    except (ValueError, TypeError, OverflowError, RecursionError):
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
    elif type(value) is not int or abs(value) >= 2**63:
        raise ValueError("not a whole number")
    return value
