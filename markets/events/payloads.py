"""The payload of each kind of event, one class a kind. Everything in a payload is public.

A payload with a field too many or too few cannot be made, so the log holds none.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from markets.domain.event_types import EventType


@dataclass(frozen=True, kw_only=True)
class Payload:
    kind: ClassVar[EventType]

    def as_json(self) -> dict[str, Any]:
        """Return the fields without those that are None; `from_` becomes `from`."""
        return {name.rstrip("_"): value for name, value in vars(self).items() if value is not None}


@dataclass(frozen=True, kw_only=True)
class Created(Payload):
    kind = EventType.CREATED
    name: str
    slug: str
    status: str
    imported: bool


@dataclass(frozen=True, kw_only=True)
class Updated(Payload):
    """Texts or times changed, with a `reason` if people had already traded on them."""

    kind = EventType.UPDATED
    changes: Mapping[str, Mapping[Literal["from", "to"], Any]]
    reason: str | None = None


@dataclass(frozen=True, kw_only=True)
class StatusChanged(Payload):
    """The base of the events that change the market's status."""

    from_: str
    status: str


class Scheduled(StatusChanged):
    """The clock will open the market."""

    kind = EventType.SCHEDULED


class Opened(StatusChanged):
    kind = EventType.OPENED


class Paused(StatusChanged):
    kind = EventType.PAUSED


class Closed(StatusChanged):
    kind = EventType.CLOSED


@dataclass(frozen=True, kw_only=True)
class Proposed(Payload):
    """A resolution is proposed. `payouts` as in `Resolved`; it is approved after `review_until`."""

    kind = EventType.PROPOSED
    payouts: Sequence[Mapping[str, Any]]
    note: str
    evidence_url: str
    review_until: str


@dataclass(frozen=True, kw_only=True)
class Withdrawn(Payload):
    """The proposed resolution is not approved."""

    kind = EventType.WITHDRAWN
    note: str


@dataclass(frozen=True, kw_only=True)
class Resolved(StatusChanged):
    """`payouts` lists `{outcome_id, weight}`: the weights are decimal strings with the sum 1."""

    kind = EventType.RESOLVED
    payouts: Sequence[Mapping[str, Any]]


@dataclass(frozen=True, kw_only=True)
class Unresolved(StatusChanged):
    """`note` says why, if somebody said it."""

    kind = EventType.UNRESOLVED
    note: str | None = None


@dataclass(frozen=True, kw_only=True)
class Cancelled(StatusChanged):
    """All traders got back what they had paid."""

    kind = EventType.CANCELLED
    note: str


@dataclass(frozen=True, kw_only=True)
class Commented(Payload):
    """The log names the comment and not its text: what is hidden later stays hidden."""

    kind = EventType.COMMENTED
    comment_id: int
    parent_id: int | None = None


@dataclass(frozen=True, kw_only=True)
class CommentChanged(Payload):
    kind = EventType.COMMENT_CHANGED
    comment_id: int
    change: Literal["edited", "hidden", "shown", "pinned", "unpinned"]


@dataclass(frozen=True, kw_only=True)
class Traded(Payload):
    """Shares were bought or sold; amounts as decimal strings. The trader is not named.

    `outcome_shares` are the outcome's, and `volume` and the counts the market's, after the trade.
    Events of older versions lack these four.
    """

    kind = EventType.TRADE
    outcome_id: int
    side: str
    shares: str
    cost: str
    average_price: str
    outcome_shares: str
    volume: str
    trade_count: int
    trader_count: int
