"""Suspend people and lift it; issue keys for others. Each is written into the person's history."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from allauth.mfa.models import Authenticator
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth import SESSION_KEY, get_user_model
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.contenttypes.models import ContentType
from django.contrib.sessions.models import Session
from django.db import transaction

from markets import events
from markets.domain import text
from markets.domain.errors import Forbidden, Invalid
from markets.domain.limits import REASON_LENGTH
from markets.domain.permissions import outranks
from markets.models import ApiKey
from markets.services import keys
from markets.services.locks import lock_people


def suspend_user(*, user_id: int, actor: AbstractBaseUser, reason: str, now: datetime) -> Any:
    """Return the person, who is signed out and can no longer sign in, trade or use a key.

    Shares, credits and keys stay as they are. Raise NotFound, Forbidden, Invalid, Busy.
    """
    with transaction.atomic(durable=True):
        return _set_active(user_id, False, actor=actor, reason=reason, now=now)


def lift_suspension(*, user_id: int, actor: AbstractBaseUser, reason: str, now: datetime) -> Any:
    """Return the person, who can sign in again and whose keys work again.

    No session from before comes back. Raise NotFound, Forbidden, Invalid, Busy.
    """
    if get_user_model()._default_manager.filter(pk=user_id, is_active=False).exists():
        for session in Session.objects.filter(expire_date__gt=now).iterator():  # none can begin
            if session.get_decoded().get(SESSION_KEY) == str(user_id):
                session.delete()
    with transaction.atomic(durable=True):
        return _set_active(user_id, True, actor=actor, reason=reason, now=now)


def check_active(user: Any, active: bool, *, actor: Any) -> None:
    """Raise Forbidden or Invalid where `actor` cannot lift (`active`) or make a suspension."""
    if user.pk == actor.pk:
        raise Forbidden("Nobody can suspend themselves, or lift their own suspension.")
    if not (actor.is_active and outranks(actor, user)):
        raise Forbidden("Only a superuser can suspend a member of staff, or lift it.")
    if user.is_active == active:
        state = "is not suspended" if active else "is suspended already"
        raise Invalid(state=f"{user.get_username()} {state}.")


def _set_active(
    user_id: int, active: bool, *, actor: AbstractBaseUser, reason: str, now: datetime
) -> Any:
    """Change the state under the locks of both people: two who suspend each other take turns."""
    reason = text.line("reason", reason, most=REASON_LENGTH)
    people = lock_people(user_id, actor.pk)
    user = people[user_id]
    check_active(user, active, actor=people[actor.pk])
    user.is_active = active
    user.save(update_fields=["is_active"])
    states = "yes → no" if active else "no → yes"
    record_change(user, f"Suspended: {states}. Reason: {reason}", actor=actor, now=now)
    events.invalidate_users([user.pk], keys=True)
    return user


def check_outranks(user: Any, *, actor: Any) -> None:
    """Raise Forbidden where `actor` cannot change how `user` signs in."""
    if user.pk != actor.pk and not outranks(actor, user):
        raise Forbidden("Only a superuser can do this for a member of staff.")


def check_rights(*, user_id: int, actor: Any, staff: bool, superuser: bool) -> None:
    """Raise Invalid or Forbidden where `actor` cannot leave a person with these rights.

    Nobody takes their own, and who takes another's still has theirs under the locks of both people
    (two who take each other's take turns): the last superuser stays. Needs a transaction.
    """
    people = lock_people(user_id, actor.pk)
    user, actor = people[user_id], people[actor.pk]
    if not (actor.is_active and outranks(actor, user)):
        raise Forbidden("Only a superuser can do this to a member of staff.")
    if user != actor:
        return
    for field, stays in (("is_superuser", superuser), ("is_staff", staff)):
        if getattr(user, field) and not stays:
            raise Invalid(**{field: "Nobody takes this from themselves: ask another superuser."})


def remove_second_factor(*, user: Any, actor: AbstractBaseUser, reason: str, now: datetime) -> None:
    """Remove app, passkeys and recovery codes: the password is enough. Raise Forbidden, Invalid."""
    with transaction.atomic(durable=True):
        reason = text.line("reason", reason, most=REASON_LENGTH)
        check_outranks(user, actor=actor)
        Authenticator.objects.filter(user_id=user.pk).delete()
        record_change(user, f"Second factor removed. Reason: {reason}", actor=actor, now=now)


def issue_key_for(
    *,
    user_id: int,
    actor: AbstractBaseUser,
    now: datetime,
    name: str,
    scopes: Iterable[str],
    expires_at: datetime | None = None,
) -> tuple[ApiKey, str]:
    """Return a new key of the person and its secret, which is not stored.

    A second press of the button finds the name in use. Raise NotFound, Forbidden, Invalid, Busy.
    """
    with transaction.atomic(durable=True):
        people = lock_people(user_id, actor.pk)
        user = people[user_id]
        if user_id != actor.pk and not outranks(people[actor.pk], user):
            raise Forbidden("Only a superuser can issue a key for a member of staff.")
        name = text.line("name", name, most=80)
        if ApiKey.objects.live(now).filter(user=user, name=name).exists():
            why = f"{user.get_username()} has a key with this name: revoke it, or choose another."
            raise Invalid(name=why)
        key, secret = keys.issue_key(
            user=user, now=now, name=name, scopes=scopes, expires_at=expires_at
        )
        ends = f"until {expires_at:%Y-%m-%d %H:%M %Z}" if expires_at else "without an end"
        what = f"Key issued: {key}, {', '.join(key.scopes)}, {ends}."
        record_change(user, what, actor=actor, now=now)
        return key, secret


def record_change(user: Any, what: str, *, actor: AbstractBaseUser, now: datetime) -> None:
    """Write a sentence into the person's history in the admin."""
    LogEntry.objects.create(
        user_id=actor.pk,
        content_type=ContentType.objects.get_for_model(user),
        object_id=str(user.pk),
        object_repr=user.get_username(),
        action_flag=CHANGE,
        action_time=now,
        change_message=what,
    )
