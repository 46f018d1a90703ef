"""What each kind of event tells, one class a kind. Everything in a payload is public.

A payload that has a field too many or too few cannot be made, so the log holds nothing else.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, ClassVar, Literal

from markets.domain.event_types import EventType


@dataclass(frozen=True, kw_only=True, slots=True)
class Payload:
    """One of the classes below; `kind` is the event's type."""

    kind: ClassVar[EventType]

    def as_json(self) -> dict[str, Any]:
        """Return the fields as JSON holds them. A field whose name Python reserves ends in an underscore here."""
        values = {field.name.rstrip("_"): getattr(self, field.name) for field in fields(self)}
        return {name: value for name, value in values.items() if value is not None}


@dataclass(frozen=True, kw_only=True, slots=True)
class Created(Payload):
    """A market was written. `imported` says that it came with many others."""

    kind = EventType.CREATED
    name: str
    slug: str
    status: str
    imported: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Updated(Payload):
    """What the market says was changed: by field, its plain values `from` and `to`.

    `reason` is there when the change corrects what people have already traded on.
    """

    kind = EventType.UPDATED
    changes: Mapping[str, Mapping[Literal["from", "to"], Any]]
    reason: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Moved(Payload):
    """The market's status changed."""

    from_: str
    status: str


class Scheduled(Moved):
    """It was announced, and opens by itself."""

    kind = EventType.SCHEDULED


class Opened(Moved):
    """People can trade."""

    kind = EventType.OPENED


class Paused(Moved):
    """Trading stopped for the time being."""

    kind = EventType.PAUSED


class Closed(Moved):
    """Trading ended."""

    kind = EventType.CLOSED


@dataclass(frozen=True, kw_only=True, slots=True)
class Resolved(Moved):
    """It was settled: `payouts` lists `{outcome_id, weight}`, weights as decimal strings that sum to 1."""

    kind = EventType.RESOLVED
    payouts: Sequence[Mapping[str, Any]]


class Unresolved(Moved):
    """The settlement was taken back."""

    kind = EventType.UNRESOLVED


@dataclass(frozen=True, kw_only=True, slots=True)
class Cancelled(Moved):
    """It was called off, and everybody got back what they paid in."""

    kind = EventType.CANCELLED
    note: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Traded(Payload):
    """Shares were bought or sold; amounts as decimal strings. It does not say by whom."""

    kind = EventType.TRADE
    outcome_id: int
    side: str
    shares: str
    cost: str
    average_price: str
