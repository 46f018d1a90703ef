"""The payload of each kind of event, one class a kind. Everything in a payload is public.

A payload with a field too many or too few cannot be made, so the log holds none.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, ClassVar, Literal

from markets.domain.event_types import EventType


@dataclass(frozen=True, kw_only=True)
class Payload:
    """The base of the classes below; `kind` is the event's type."""

    kind: ClassVar[EventType]

    def as_json(self) -> dict[str, Any]:
        """Return the fields without those that are None; `from_` becomes `from`."""
        values = {field.name.rstrip("_"): getattr(self, field.name) for field in fields(self)}
        return {name: value for name, value in values.items() if value is not None}


@dataclass(frozen=True, kw_only=True)
class Created(Payload):
    """A market was written, or `imported` from a file."""

    kind = EventType.CREATED
    name: str
    slug: str
    status: str
    imported: bool


@dataclass(frozen=True, kw_only=True)
class Updated(Payload):
    """The market's texts or times changed: by field, the plain values `from` and `to`.

    A change of what people have already traded on has a `reason`.
    """

    kind = EventType.UPDATED
    changes: Mapping[str, Mapping[Literal["from", "to"], Any]]
    reason: str | None = None


@dataclass(frozen=True, kw_only=True)
class StatusChanged(Payload):
    """The base of the events that change the market's status."""

    from_: str
    status: str


class Scheduled(StatusChanged):
    """The market was announced; the clock opens it."""

    kind = EventType.SCHEDULED


class Opened(StatusChanged):
    """People can trade."""

    kind = EventType.OPENED


class Paused(StatusChanged):
    """Trading stopped for the time being."""

    kind = EventType.PAUSED


class Closed(StatusChanged):
    """Trading ended."""

    kind = EventType.CLOSED


@dataclass(frozen=True, kw_only=True)
class Resolved(StatusChanged):
    """The market was settled.

    `payouts` lists `{outcome_id, weight}`; the weights are decimal strings with the sum 1.
    """

    kind = EventType.RESOLVED
    payouts: Sequence[Mapping[str, Any]]


class Unresolved(StatusChanged):
    """The settlement was taken back."""

    kind = EventType.UNRESOLVED


@dataclass(frozen=True, kw_only=True)
class Cancelled(StatusChanged):
    """The market was called off, and all traders got back what they had paid."""

    kind = EventType.CANCELLED
    note: str


@dataclass(frozen=True, kw_only=True)
class Traded(Payload):
    """Shares were bought or sold; amounts as decimal strings. The trader is not named."""

    kind = EventType.TRADE
    outcome_id: int
    side: str
    shares: str
    cost: str
    average_price: str
