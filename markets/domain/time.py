"""Times in public texts."""

from datetime import datetime
from typing import overload


@overload
def time_text(at: datetime) -> str: ...
@overload
def time_text(at: None) -> None: ...
def time_text(at: datetime | None) -> str | None:
    """Return a UTC time in RFC 3339, such as `2026-11-23T09:00:00Z`."""
    return None if at is None else at.isoformat().replace("+00:00", "Z")
