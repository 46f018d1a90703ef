"""The admin. Markets are changed by services alone."""

from markets.admin import events, markets, money, people  # noqa: F401
