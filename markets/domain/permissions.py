"""The permissions that every door checks.

Groups grant them (migration 0003 creates four), a superuser has them all. `is_staff` alone admits
to the admin and permits nothing there.
"""

from enum import StrEnum
from typing import Any, Protocol

from markets.domain.errors import Forbidden


class Permission(StrEnum):
    SEE_DRAFTS = "markets.view_market"
    ADD_MARKET = "markets.add_market"
    EDIT_MARKET = "markets.change_market"
    OPERATE_MARKET = "markets.operate_market"  # schedule, open, pause, close
    RESOLVE_MARKET = "markets.resolve_market"  # resolve, unresolve, cancel
    IMPORT_MARKETS = "markets.import_markets"
    EXPORT_DATA = "markets.export_data"
    MODERATE_COMMENTS = "markets.moderate_comment"  # hide, show, pin, decide on reports
    GRANT_CREDITS = "markets.grant_credits"
    MANAGE_KEYS = "markets.manage_keys"  # issue and revoke those of others
    INVITE_PEOPLE = "markets.invite_people"
    EDIT_PEOPLE = "auth.change_user"  # suspend and lift, too: see `outranks`


class Person(Protocol):
    """A user, signed in or anonymous."""

    @property
    def is_active(self) -> Any: ...

    @property
    def is_staff(self) -> Any: ...

    def has_perm(self, perm: str, obj: Any = None) -> bool: ...


def may(user: Person, permission: Permission) -> bool:
    """Whether the user is staff with the permission. A user's first call costs two statements."""
    return bool(user.is_active and user.is_staff) and user.has_perm(permission)


def outranks(person: Any, other: Any) -> bool:
    """Return whether `person` may edit `other`: a superuser everybody, the rest no staff."""
    return bool(person.is_superuser or not other.is_staff)


def permissions_of(user: Person) -> frozenset[Permission]:
    return frozenset(permission for permission in Permission if may(user, permission))


def forbidden(permission: Permission) -> Forbidden:
    name = permission.removeprefix("markets.")
    return Forbidden(f"This needs the permission '{name}', which staff give through groups.")
