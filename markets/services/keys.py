"""Keys: issuing, recognising and revoking them."""

import hashlib
import hmac
import re
import secrets
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

from django.contrib.auth.base_user import AbstractBaseUser
from django.db.models import Q

from markets import events
from markets.domain import text
from markets.domain.errors import Forbidden, Invalid, NotFound, Unauthenticated
from markets.models import ApiKey, Scope

_KEY: Final = re.compile(r"bw_([A-Za-z0-9]{8})_[A-Za-z0-9_-]{43}")
_TOUCH_EVERY: Final = timedelta(minutes=1)  # last use is written no more often


def issue_key(
    *,
    user: AbstractBaseUser,
    now: datetime,
    name: str,
    scopes: Iterable[str],
    expires_at: datetime | None = None,
    by: ApiKey | None = None,
) -> tuple[ApiKey, str]:
    """A new key and its one showing.

    `by` is the key that asks for it, if one does: the new one may do no more and live no longer. Raises Invalid, Forbidden.
    """
    wanted = sorted(set(scopes))
    if not wanted or set(wanted) - set(Scope.values):
        raise Invalid(scopes=f"Choose one or more of {', '.join(Scope.values)}.")
    if Scope.STAFF in wanted and not getattr(user, "is_staff", False):
        raise Forbidden("Only staff can have a key with the scope 'staff'.")
    if expires_at is not None and expires_at <= now:
        raise Invalid(expires_at="A key must expire later than now.")
    if by is not None and set(wanted) - set(by.scopes):
        raise Forbidden("A key cannot make one that may do more than itself.")
    if (
        by is not None
        and by.expires_at is not None
        and (expires_at is None or expires_at > by.expires_at)
    ):
        raise Forbidden(
            f"A key cannot make one that outlives it: set expires_at, at the latest {by.expires_at.isoformat()}."
        )
    prefix = secrets.token_hex(4)
    secret = f"bw_{prefix}_{secrets.token_urlsafe(32)}"
    key = ApiKey.objects.create(
        user_id=user.pk,
        name=text.line("name", name, most=80),
        prefix=prefix,
        digest=digest(secret),
        scopes=wanted,
        created_at=now,
        expires_at=expires_at,
    )
    return key, secret


def digest(secret: str) -> bytes:
    """What is kept of a key: it has 256 random bits, so a plain hash will do."""
    return hashlib.sha256(secret.encode()).digest()


def recognise_key(*, secret: str, now: datetime) -> ApiKey:
    """The live key whose secret this is, with its user. Raises Unauthenticated, the same for every reason."""
    match = _KEY.fullmatch(secret)
    live = Q(revoked_at=None) & (Q(expires_at=None) | Q(expires_at__gt=now))
    key = match and ApiKey.objects.select_related("user").filter(live, prefix=match[1]).first()
    if (
        not key
        or not hmac.compare_digest(bytes(key.digest), digest(secret))
        or not key.user.is_active
    ):
        raise Unauthenticated
    if key.last_used_at is None or now - key.last_used_at >= _TOUCH_EVERY:
        ApiKey.objects.filter(pk=key.pk).update(last_used_at=now)
    return key


def revoke_key(
    *, user: AbstractBaseUser, key_id: int, now: datetime, by: ApiKey | None = None
) -> None:
    """End one of the user's keys at once; revoking twice is fine.

    `by` is the key that asks for it, if one does: it ends itself, or one that may do no more. Raises NotFound, Forbidden.
    """
    key = ApiKey.objects.filter(pk=key_id, user_id=user.pk).first()
    if key is None:
        raise NotFound("key", key_id)
    if by is not None and set(key.scopes) - set(by.scopes):
        raise Forbidden("A key cannot end one that may do more than itself.")
    ApiKey.objects.filter(pk=key_id, revoked_at=None).update(revoked_at=now)
    events.stir([user.pk], keys=True)
