"""Make invitations, use each once, revoke them."""

import secrets
from datetime import datetime
from typing import Any, Final

from django.contrib.auth.base_user import AbstractBaseUser
from django.db import transaction
from django.utils.translation import gettext as _

from markets.domain.errors import Invalid, InvitationRefused
from markets.infra.database import busy_when_locked
from markets.models import Invitation
from markets.services.keys import digest

MOST: Final = 100  # made at once
NOTE_LENGTH: Final = 120


def make_invitations(
    *, actor: AbstractBaseUser, count: int, note: str, expires_at: datetime, now: datetime
) -> list[str]:
    """Return the codes of new invitations, which are not stored. Raise Invalid."""
    if not 1 <= count <= MOST:
        raise Invalid(count=f"Make 1 to {MOST} invitations at once.")
    if expires_at <= now:
        raise Invalid(expires="An invitation must end later than now.")
    note = " ".join(note.split())
    if len(note) > NOTE_LENGTH:
        raise Invalid(note=f"A note has at most {NOTE_LENGTH} characters.")
    codes = [secrets.token_urlsafe(16) for _number in range(count)]
    Invitation.objects.bulk_create(
        Invitation(
            digest=digest(code),
            created_by_id=actor.pk,
            note=note,
            created_at=now,
            expires_at=expires_at,
        )
        for code in codes
    )
    return codes


def check_invitation(*, code: str, now: datetime) -> None:
    """Raise InvitationRefused for a code that nobody can sign up with."""
    _usable(Invitation.objects.filter(digest=digest(code)).first(), now)


def use_invitation(*, code: str, user: AbstractBaseUser, now: datetime) -> None:
    """Mark the invitation as used by the new person. Raise InvitationRefused, Busy.

    Demands the transaction in which the person is made: of two who use a code at the same time one
    waits for the other's commit, and is refused.
    """
    with busy_when_locked():
        row = Invitation.objects.select_for_update().filter(digest=digest(code)).first()
    invitation = _usable(row, now)
    invitation.used_by_id, invitation.used_at = user.pk, now
    invitation.save(update_fields=["used_by", "used_at"])


def revoke_invitations(*, ids: list[int], now: datetime) -> int:
    """Return how many were revoked: not those that were used or had ended already."""
    with transaction.atomic(durable=True):
        return Invitation.objects.open(now).filter(pk__in=ids).update(revoked_at=now)


def _usable(invitation: Invitation | None, now: datetime) -> Any:
    if invitation is None:
        raise InvitationRefused(_("Nobody knows this invitation: is its link complete?"))
    if invitation.used_at:
        raise InvitationRefused(_("This invitation was used already: each is for one person."))
    if invitation.revoked_at:
        raise InvitationRefused(_("This invitation was withdrawn."))
    if invitation.expires_at <= now:
        raise InvitationRefused(_("This invitation has expired."))
    return invitation
