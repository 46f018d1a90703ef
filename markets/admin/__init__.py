"""The admin. Markets are changed by services alone."""

from markets.admin import events, keys, markets, money, people  # noqa: F401
