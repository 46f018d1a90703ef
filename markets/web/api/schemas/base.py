"""Types and base classes of the schemas."""

from datetime import UTC
from typing import Annotated, Any, Generic, TypeVar

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

from markets.domain import limits
from markets.domain.amounts import to_micro

T = TypeVar("T")
DECIMAL = {"type": "string", "pattern": r"^-?[0-9]{1,18}(\.[0-9]{1,6})?$", "examples": ["12.5"]}


def _micro(value: object) -> int:
    if not isinstance(value, str):
        raise ValueError('Give a decimal string, such as "12.5".')  # noqa: TRY004  (for pydantic)
    return to_micro(value)


def _time_text(value: object) -> str:
    if not isinstance(value, str) or "-" not in value or value[:2] in {"00", "99"}:
        raise ValueError(
            "Give a time as RFC 3339 has it, such as 2027-01-31T12:00:00Z, between 1900 and 9000."
        )
    return value


Amount = Annotated[int, BeforeValidator(_micro), WithJsonSchema(DECIMAL)]
Decimal = Annotated[str, WithJsonSchema(DECIMAL)]
Time = Annotated[
    AwareDatetime, BeforeValidator(_time_text), AfterValidator(lambda at: at.astimezone(UTC))
]
Id = Annotated[int, Field(ge=1, le=2**63 - 1)]
Line = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
Word = Annotated[Line, Field(max_length=limits.SHELF_LENGTH)]
Text = Annotated[str, Field(max_length=limits.TEXT_LENGTH)]


class In(Schema):
    """A request body. Unknown fields are refused."""

    model_config = ConfigDict(extra="forbid")


class Parameters(In):
    """Query parameters. Unknown ones, which Ninja would drop, and repeated ones are refused."""

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
    limit: int = Field(50, ge=1, le=200)
    cursor: str | None = Field(None, max_length=500)


class ListOut(Schema, Generic[T]):
    items: list[T]
    next: str | None


class WholeListOut(Schema, Generic[T]):
    """A list that has a single page."""

    items: list[T]
    next: None = None
