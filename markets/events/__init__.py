"""The one door through which a change becomes known."""

from markets.events.record import announce, record, recorded, start_task, stir

__all__ = ["announce", "record", "recorded", "start_task", "stir"]
