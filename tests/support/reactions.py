"""The worker's part, without a worker."""

from __future__ import annotations

from markets.models import Event
from markets.selectors import feed
from markets.tasks import reactions
from tests.support.processes import wait_for


def react_to_all() -> None:
    """What a worker would do now."""
    for event in Event.objects.filter(pending=True).order_by("pk"):
        reactions.react(event.pk)


def wait_until_told() -> None:
    """Wait until the exact feed reaches the newest event.

    Any transaction of the server holds the feed back, also one of the tests that run beside.
    """
    newest = max((event.transaction for event in Event.objects.all()), default=0)
    wait_for(lambda: feed.current_horizon() > newest, seconds=60)
