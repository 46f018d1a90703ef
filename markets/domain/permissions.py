"""Who may do what: the one table that the admin, the API, the pages and the streams ask.

Groups give people these permissions (migration 0003 makes the first four), a superuser has them all. `is_staff` opens the
door of the admin and nothing behind it.
"""

from enum import StrEnum
from typing import Any, Protocol

from markets.domain.errors import Forbidden


class Permission(StrEnum):
    """What people can be allowed to do, by the name under which Django keeps it."""

    SEE_DRAFTS = "markets.view_market"
    ADD_MARKET = "markets.add_market"
    EDIT_MARKET = "markets.change_market"
    OPERATE_MARKET = "markets.operate_market"  # schedule, open, pause, close
    RESOLVE_MARKET = "markets.resolve_market"  # resolve, unresolve, cancel
    IMPORT_MARKETS = "markets.import_markets"
    EXPORT_DATA = "markets.export_data"
    GRANT_CREDITS = "markets.grant_credits"
    MANAGE_KEYS = "markets.manage_keys"


class Person(Protocol):
    """A user or nobody, as far as permissions go."""

    @property
    def is_active(self) -> Any: ...

    @property
    def is_staff(self) -> Any: ...

    def has_perm(self, perm: str, obj: Any = None) -> bool: ...


def may(user: Person, permission: Permission) -> bool:
    """Return whether the user is staff and has the permission.

    The first answer about a user costs two statements, later ones none.
    """
    return bool(user.is_active and user.is_staff) and user.has_perm(permission)


def permissions_of(user: Person) -> frozenset[Permission]:
    """Return all that the user is allowed to do."""
    return frozenset(permission for permission in Permission if may(user, permission))


def forbidden(permission: Permission) -> Forbidden:
    """Return the refusal for a person who lacks the permission."""
    name = permission.removeprefix("markets.")
    return Forbidden(f"This needs the permission '{name}', which staff give through groups.")
