"""Cursors of the feed (`selectors/feed.py`)."""

from django.db import models

from markets.models.fields import TransactionIdField


class FeedCursor(models.Model):
    """A reader of the feed, and the last event that the reader has processed."""

    name = models.CharField(max_length=40, primary_key=True)
    transaction = TransactionIdField(default=0)
    event = models.BigIntegerField(default=0, help_text="The event's id.")

    def __str__(self) -> str:
        return f"{self.name} at {self.transaction}.{self.event}"

    @property
    def reached(self) -> tuple[int, int]:
        return self.transaction, self.event

    @reached.setter
    def reached(self, cursor: tuple[int, int]) -> None:
        self.transaction, self.event = cursor
