"""Notifications, and the categories that users follow to get them."""

from django.db import models
from django.db.models import Q

from markets.models.event import Event
from markets.models.fields import USER, unique
from markets.models.market import Category


class CategoryFollow(models.Model):
    user = models.ForeignKey(USER, models.CASCADE, related_name="followed_categories")
    category = models.ForeignKey(Category, models.CASCADE, related_name="followers")

    class Meta:
        constraints = [unique("follow_once", "user", "category")]

    def __str__(self) -> str:
        return f"{self.user} follows {self.category}"


class Notification(models.Model):
    """A user is notified of an event once, however often the task runs."""

    user = models.ForeignKey(USER, models.CASCADE, related_name="notifications", db_index=False)
    event = models.ForeignKey(Event, models.CASCADE, related_name="notifications")
    text = models.CharField(max_length=400)
    created_at = models.DateTimeField()
    read_at = models.DateTimeField(null=True, blank=True)
    email_due = models.BooleanField(
        default=False, help_text="An e-mail is to be sent and was not yet."
    )

    class Meta:
        ordering = ["-id"]
        constraints = [unique("notified_once", "user", "event")]
        indexes = [
            models.Index(fields=["user", "-id"], name="notification_newest"),
            models.Index(fields=["id"], condition=Q(email_due=True), name="notification_email_due"),
        ]

    def __str__(self) -> str:
        return self.text
