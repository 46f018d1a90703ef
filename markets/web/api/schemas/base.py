"""What all shapes are made of: amounts, times, and models that refuse what they do not know."""

from datetime import UTC
from typing import Annotated, Any, Literal

from django.http import QueryDict
from ninja import Schema
from pydantic import (
    AfterValidator,
    AwareDatetime,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationInfo,
    WithJsonSchema,
    model_validator,
)

from markets.domain.amounts import to_micro
from markets.domain.limits import SHELF_LENGTH


def _micro(value: object) -> int:
    if not isinstance(value, str):
        raise ValueError('Give a decimal string, such as "12.5".')  # noqa: TRY004  (pydantic reports ValueError)
    return to_micro(value)


def _time_text(value: object) -> str:
    if not isinstance(value, str) or "-" not in value or value[:2] in {"00", "99"}:
        raise ValueError(
            "Give a time as RFC 3339 has it, such as 2027-01-31T12:00:00Z, between 1900 and 9000."
        )
    return value


_DECIMAL = {"type": "string", "pattern": r"^-?[0-9]{1,18}(\.[0-9]{1,6})?$", "examples": ["12.5"]}
Amount = Annotated[
    int, BeforeValidator(_micro), WithJsonSchema(_DECIMAL)
]  # in: a decimal string, inside: millionths
Decimal = Annotated[str, WithJsonSchema(_DECIMAL)]  # out: written by amounts.to_text
Time = Annotated[
    AwareDatetime, BeforeValidator(_time_text), AfterValidator(lambda at: at.astimezone(UTC))
]
Id = Annotated[int, Field(ge=1, le=2**63 - 1)]
Word = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=SHELF_LENGTH)
]
Statuses = Literal["draft", "scheduled", "active", "paused", "closed", "resolved", "cancelled"]


class In(Schema):
    """What a client sends: unknown fields are refused."""

    model_config = ConfigDict(extra="forbid")


class Parameters(In):
    """A route's query parameters: others are refused, and repeated ones. (Ninja itself drops what it does not know.)"""

    @model_validator(mode="before")
    @classmethod
    def known(cls, values: Any, info: ValidationInfo) -> Any:
        given = info.context["request"].GET if info.context else QueryDict()
        known = [field.alias or name for name, field in cls.model_fields.items()]
        if unknown := sorted(set(given) - set(known)):
            raise ValueError(
                f"Unknown parameter {unknown[0][:40]!r}; known are {', '.join(known) or 'none'}."
            )
        if repeated := [name for name in given if len(given.getlist(name)) > 1]:
            raise ValueError(f"{repeated[0]} is given more than once.")
        return values


class Paging(Parameters):
    """Which page of a list."""

    limit: int = Field(50, ge=1, le=200)
    cursor: str | None = Field(None, max_length=500)
