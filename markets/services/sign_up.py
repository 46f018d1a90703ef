"""How people get and change their names. One who takes a name waits for the one before."""

from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

from django.contrib.auth import get_user_model
from django.contrib.auth.base_user import AbstractBaseUser
from django.db import connection, transaction
from django.utils.translation import gettext as _

from markets import events
from markets.domain import usernames
from markets.domain.errors import Invalid
from markets.infra.database import busy_when_locked
from markets.services.invitations import use_invitation
from markets.services.people import record_change

_NAMES: Final = 7_465_001  # the advisory lock of whoever takes a name


def sign_up(
    *, name: str, invitation: str | None, now: datetime, make: Callable[[], AbstractBaseUser]
) -> AbstractBaseUser:
    """Return the person that `make` saves, who has the name, and whose invitation is used.

    Raise Invalid, InvitationRefused, Busy.
    """
    with transaction.atomic(durable=True):
        _lock_names()
        check_name(name)
        user = make()
        if invitation is not None:
            use_invitation(code=invitation, user=user, now=now)
        return user


def rename(*, user: Any, name: str, now: datetime) -> str:
    """Return the person's new name, in its normal form. Raise Invalid, Busy."""
    with transaction.atomic(durable=True):
        _lock_names()
        old = user.get_username()
        new = check_name(name, of=user)
        if new != old:
            get_user_model()._default_manager.filter(pk=user.pk).update(username=new)
            user.username = new
            record_change(user, f"Name: {old} → {new}.", actor=user, now=now)
            events.invalidate_users([user.pk], keys=True)
        return new


def check_name(name: str, *, of: Any = None, field: str = "username") -> str:
    """Return the name in its normal form. Raise Invalid if the person cannot be called so.

    `of` is who has a name already; staff may have one that sounds official.
    """
    name = usernames.clean(field, name)
    people = get_user_model()._default_manager.exclude(pk=of and of.pk)
    if people.filter(username__iexact=name).exists():
        raise Invalid(**{field: _("Somebody has this name already. Choose another.")})
    if not (of and of.is_staff):
        staff = people.filter(is_staff=True).values_list("username", flat=True)
        usernames.check_imitates(field, name, staff)
    return name


def _lock_names() -> None:
    with busy_when_locked(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_NAMES])
