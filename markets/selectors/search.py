"""Full-text search: PostgreSQL's, with prefixes, and trigrams for what was typed wrong."""

from __future__ import annotations

import re
from typing import Final

from django.contrib.postgres.search import SearchQuery, SearchRank, TrigramWordSimilarity
from django.db.models import F, FloatField, Value
from django.db.models.functions import Cast, Coalesce

from markets.models.market import MarketQuerySet

LONGEST_QUERY: Final = 200  # characters; the rest is not looked at
MOST_RANKED: Final = 200  # markets: the newest of those that say it; a word that thousands say ranks nobody well


def matching(markets: MarketQuerySet, text: str) -> MarketQuerySet:
    """The markets that say `text` (its last word as a prefix) or, if none does, whose names nearly say it.

    Each has a `score`, best highest: how much it says it, and how near its name comes to the text.
    """
    text = text[:LONGEST_QUERY]
    words = re.findall(r"\w+", text)
    if not words:
        return markets.annotate(score=Value(0.0)).none()
    query = SearchQuery(" & ".join([*words[:-1], f"{words[-1]}:*"]), search_type="raw", config="english_unaccent")
    found = list(markets.filter(search_vector=query).order_by("-pk").values_list("pk", flat=True)[:MOST_RANKED])
    if not found:
        nearly = markets.filter(name__trigram_word_similar=text).order_by()
        found = list(nearly.values_list("pk", flat=True)[:MOST_RANKED])
    rank = Coalesce(Cast(SearchRank(F("search_vector"), query), FloatField()), 0.0)
    score = rank + Cast(TrigramWordSimilarity(text, "name"), FloatField())
    return markets.filter(pk__in=found).annotate(score=score)
