"""The one way to make a change known."""

from markets.events.record import invalidate_users, record, recorded, start_task

__all__ = ["invalidate_users", "record", "recorded", "start_task"]
