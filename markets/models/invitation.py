from __future__ import annotations

from datetime import datetime

from django.db import models
from django.db.models import Q

from markets.models.fields import USER


class InvitationQuerySet(models.QuerySet["Invitation"]):
    def open(self, now: datetime) -> InvitationQuerySet:
        """Return those that somebody can still sign up with."""
        return self.filter(Q(expires_at__gt=now), used_at=None, revoked_at=None)


class Invitation(models.Model):
    """One sign-up. `digest` is the SHA-256 of its code, which has 128 random bits."""

    digest = models.BinaryField(max_length=32, unique=True)
    created_by = models.ForeignKey(USER, models.SET_NULL, null=True, related_name="+")
    note = models.CharField(max_length=120, blank=True)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True, blank=True)
    used_at = models.DateTimeField(null=True, blank=True)
    used_by = models.ForeignKey(
        USER, models.SET_NULL, null=True, blank=True, related_name="invitations"
    )

    objects = InvitationQuerySet.as_manager()

    class Meta:
        permissions = [("invite_people", "Can make and revoke invitations")]
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"Invitation {self.pk}" + (f", {self.note}" if self.note else "")
