"""Full-text search: PostgreSQL's, with prefixes, and trigrams for what was typed wrong."""

from __future__ import annotations

import re
from typing import Final

from django.contrib.postgres.search import SearchQuery, SearchRank, TrigramWordSimilarity
from django.db.models import F, FloatField, Q, Value
from django.db.models.functions import Cast, Coalesce

from markets.models.market import MarketQuerySet

LONGEST_QUERY: Final = 200  # characters; the rest is not looked at


def matching(markets: MarketQuerySet, text: str) -> MarketQuerySet:
    """The markets that say `text`, begin a word like its last one, or nearly say it; each with a `score`, best highest."""
    text = text[:LONGEST_QUERY]
    words = re.findall(r"\w+", text)
    if not words:
        return markets.annotate(score=Value(0.0)).none()
    query = SearchQuery(" & ".join([*words[:-1], f"{words[-1]}:*"]), search_type="raw", config="english_unaccent")
    rank = Coalesce(Cast(SearchRank(F("search_vector"), query), FloatField()), 0.0)
    score = rank + Cast(TrigramWordSimilarity(text, "name"), FloatField())
    return markets.filter(Q(search_vector=query) | Q(name__trigram_word_similar=text)).annotate(score=score)
