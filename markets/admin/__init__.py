"""The admin. Markets are changed by services alone."""

from markets.admin import (  # noqa: F401
    bulk,
    comments,
    events,
    invitations,
    keys,
    markets,
    money,
    people,
    reports,
    shelves,
)
