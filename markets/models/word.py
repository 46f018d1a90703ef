"""The vocabulary of the search: what a mistyped word is corrected to."""

from django.contrib.postgres.indexes import GinIndex
from django.db import models


class Word(models.Model):
    """A stem from the search vector of at least one market. Words are never deleted."""

    text = models.TextField(primary_key=True)

    class Meta:
        indexes = [GinIndex(fields=["text"], opclasses=["gin_trgm_ops"], name="word_similar")]

    def __str__(self) -> str:
        return self.text
