"""What a worker does: reactions to events, and what the clock starts."""

from markets.tasks import clock, reactions

__all__ = ["clock", "reactions"]
