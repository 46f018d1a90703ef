"""What a worker runs: reactions to events, and the tasks of the clock."""

from markets.tasks import clock, reactions

__all__ = ["clock", "reactions"]
