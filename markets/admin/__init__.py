"""The admin. Markets are changed by services alone."""

from markets.admin import bulk, events, keys, markets, money, people, reports, shelves  # noqa: F401
