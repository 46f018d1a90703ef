"""Issue, recognise and revoke API keys."""

import hashlib
import hmac
import re
import secrets
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

from django.contrib.auth.base_user import AbstractBaseUser
from django.db import transaction

from markets import events
from markets.domain import text
from markets.domain.errors import (
    AlreadyDone,
    Forbidden,
    Invalid,
    NotFound,
    TooManyKeys,
    Unauthenticated,
)
from markets.domain.limits import MOST_KEYS
from markets.models import ApiKey, Scope
from markets.services.locks import lock_people

_KEY: Final = re.compile(r"bw_([A-Za-z0-9]{8})_[A-Za-z0-9_-]{43}")


def issue_key(
    *,
    user: AbstractBaseUser,
    now: datetime,
    name: str,
    scopes: Iterable[str],
    expires_at: datetime | None = None,
    by: ApiKey | None = None,
    request_key: str | None = None,
) -> tuple[ApiKey, str]:
    """Return a new key and its secret, which is not stored.

    `by` is the key, if any, that asks for the new one; it limits the scopes and the life.
    `request_key` identifies the submitted form. Raise Invalid, Forbidden, TooManyKeys, and
    AlreadyDone for a second key with the same `request_key`.
    """
    wanted = set(scopes)
    if not wanted or wanted - set(Scope.values):
        raise Invalid(scopes=f"Choose one or more of {', '.join(Scope.values)}.")
    if Scope.STAFF in wanted and not getattr(user, "is_staff", False):
        raise Forbidden("Only staff can have a key with the scope 'staff'.")
    if expires_at is not None and expires_at <= now:
        raise Invalid(expires_at="A key must expire later than now.")
    if by and wanted - set(by.scopes):
        raise Forbidden("A key cannot make one that may do more than itself.")
    if by and by.expires_at and (expires_at is None or expires_at > by.expires_at):
        latest = by.expires_at.isoformat()
        raise Forbidden(f"A key cannot outlive the key that makes it: expire it by {latest}.")
    prefix = secrets.token_hex(4)
    if request_key:  # the form's own prefix: it is unique, so the form makes one key
        prefix = digest(f"{user.pk} {request_key}").hex()[:8]
    secret = f"bw_{prefix}_{secrets.token_urlsafe(32)}"
    name = text.line("name", name, most=80)
    with transaction.atomic():
        lock_people(user.pk)  # so that two at once are counted
        if ApiKey.objects.filter(user_id=user.pk, prefix=prefix).exists():
            raise AlreadyDone
        if ApiKey.objects.live(now).filter(user_id=user.pk).count() >= MOST_KEYS:
            raise TooManyKeys(MOST_KEYS)
        key = ApiKey.objects.create(
            user_id=user.pk,
            name=name,
            prefix=prefix,
            digest=digest(secret),
            scopes=sorted(wanted),
            created_at=now,
            expires_at=expires_at,
        )
    return key, secret


def digest(secret: str) -> bytes:
    """Return the stored hash of a random key or code, which needs no salt."""
    return hashlib.sha256(secret.encode()).digest()


def recognise_key(*, secret: str, now: datetime) -> ApiKey:
    """Return the live key, with its user. Raise Unauthenticated for any failure.

    The keys of a suspended person rest: they are refused until the suspension is lifted.
    """
    match = _KEY.fullmatch(secret)
    live = ApiKey.objects.live(now).select_related("user")
    key = match and live.filter(prefix=match[1]).first()
    if not (key and hmac.compare_digest(bytes(key.digest), digest(secret))):
        raise Unauthenticated
    if not key.user.is_active:
        raise Unauthenticated("The owner of this key is suspended: ask the staff of this site.")
    if key.last_used_at is None or now - key.last_used_at >= timedelta(minutes=1):  # saves writes
        ApiKey.objects.filter(pk=key.pk).update(last_used_at=now)
    return key


def revoke_key(
    *, user: AbstractBaseUser, key_id: int, now: datetime, by: ApiKey | None = None
) -> None:
    """Revoke a key of the user; a second time changes nothing. Raise NotFound, Forbidden.

    `by` is the key, if any, that asks for it: it may revoke itself and keys without further scopes.
    """
    key = ApiKey.objects.filter(pk=key_id, user_id=user.pk).first()
    if key is None:
        raise NotFound("key", key_id)
    if by and set(key.scopes) - set(by.scopes):
        raise Forbidden("A key cannot revoke one that may do more than itself.")
    ApiKey.objects.filter(pk=key_id, revoked_at=None).update(revoked_at=now)
    events.invalidate_users([user.pk], keys=True)
