"""The words that markets are named with, to find the right one behind one that was typed wrong."""

from django.contrib.postgres.indexes import GinIndex
from django.db import models


class Word(models.Model):
    """The stem of a word in some market's name, shelf, tags or labels, as its search vector has it. It is never taken away."""

    text = models.TextField(primary_key=True)

    class Meta:
        indexes = [GinIndex(fields=["text"], opclasses=["gin_trgm_ops"], name="word_similar")]

    def __str__(self) -> str:
        return self.text
