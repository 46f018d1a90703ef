"""What people say about markets."""

from django.db import models
from django.db.models import Q

from markets.models.fields import USER, unique
from markets.models.market import Market


class Comment(models.Model):
    """A reason, or an answer to one: then `parent` is a comment that has no parent itself."""

    market = models.ForeignKey(Market, models.CASCADE, related_name="comments", db_index=False)
    author = models.ForeignKey(
        USER, models.SET_NULL, null=True, related_name="comments", db_index=False
    )
    parent = models.ForeignKey(
        "self", models.CASCADE, null=True, blank=True, related_name="replies"
    )
    text = models.TextField(help_text="Markdown.")
    created_at = models.DateTimeField()
    edited_at = models.DateTimeField(null=True, blank=True)
    pinned_at = models.DateTimeField(null=True, blank=True)
    hidden_at = models.DateTimeField(null=True, blank=True)
    hidden_by = models.ForeignKey(USER, models.SET_NULL, null=True, blank=True, related_name="+")

    class Meta:
        ordering = ["id"]
        permissions = [("moderate_comment", "Can hide, show and pin comments")]
        indexes = [
            models.Index(fields=["market", "id"], name="comment_of_market"),
            models.Index(fields=["author", "-created_at"], name="comment_newest_of_author"),
        ]

    def __str__(self) -> str:
        return f"{self.author}: {self.text[:40]}"


class CommentVersion(models.Model):
    """A text that an edit has replaced."""

    comment = models.ForeignKey(Comment, models.CASCADE, related_name="versions")
    text = models.TextField()
    written_at = models.DateTimeField()
    replaced_at = models.DateTimeField()

    class Meta:
        ordering = ["-id"]
        verbose_name = "earlier text"

    def __str__(self) -> str:
        return self.text[:40]


class CommentReport(models.Model):
    """Somebody asks staff to look at a comment. It is open until they have decided."""

    comment = models.ForeignKey(Comment, models.CASCADE, related_name="reports")
    reporter = models.ForeignKey(USER, models.CASCADE, related_name="+")
    reason = models.CharField(max_length=300)
    at = models.DateTimeField()
    decided_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["id"]
        constraints = [
            unique("comment_reported_once", "comment", "reporter", condition=Q(decided_at=None))
        ]
        indexes = [
            models.Index(fields=["id"], condition=Q(decided_at=None), name="comment_report_open")
        ]

    def __str__(self) -> str:
        return f"{self.reporter}: {self.reason[:40]}"
