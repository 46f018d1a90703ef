"""The admin: one file a model family. Markets change through the services alone."""

from markets.admin import events, markets, money, people

__all__ = ["events", "markets", "money", "people"]
