"""The kinds of events; the values are public."""

from enum import StrEnum
from typing import Final


class EventType(StrEnum):
    CREATED = "market.created"
    UPDATED = "market.updated"
    SCHEDULED = "market.scheduled"
    OPENED = "market.opened"
    PAUSED = "market.paused"
    CLOSED = "market.closed"
    PROPOSED = "market.resolution_proposed"
    WITHDRAWN = "market.resolution_withdrawn"
    RESOLVED = "market.resolved"
    UNRESOLVED = "market.unresolved"
    CANCELLED = "market.cancelled"
    TRADE = "trade"
    COMMENTED = "comment.added"
    COMMENT_CHANGED = "comment.changed"


TALK: Final = frozenset(
    {EventType.COMMENTED, EventType.COMMENT_CHANGED}
)  # nothing that counts moves
