"""The worker's part, without a worker."""

from __future__ import annotations

from markets import tasks
from markets.models import Event


def react_to_all() -> None:
    """What a worker would do now."""
    for event in Event.objects.filter(pending=True).order_by("pk"):
        tasks.react(event.pk)
