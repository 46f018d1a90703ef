"""The worker's part, without a worker."""

from __future__ import annotations

from markets.models import Event
from markets.tasks import reactions


def react_to_all() -> None:
    """What a worker would do now."""
    for event in Event.objects.filter(pending=True).order_by("pk"):
        reactions.react(event.pk)
