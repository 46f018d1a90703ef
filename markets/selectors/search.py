"""Full-text search: PostgreSQL's, with prefixes, and trigrams for what was typed wrong."""

from __future__ import annotations

import re
from typing import Final

from django.contrib.postgres.search import SearchQuery, SearchRank, TrigramWordSimilarity
from django.db.models import F, FloatField, Q, Value
from django.db.models.functions import Cast

from markets.models.market import MarketQuerySet

LONGEST_QUERY: Final = 200  # characters; the rest is not looked at
MOST_RANKED: Final = 200  # markets: the newest of those that say it; a word that thousands say ranks nobody well


def matching(markets: MarketQuerySet, text: str) -> MarketQuerySet:
    """The markets that say `text`, the last word as a prefix; each with a `score`, best highest.

    If there is none, those whose names nearly say it.
    """
    text = text[:LONGEST_QUERY]
    words = re.findall(r"\w+", text)
    if not words:
        return markets.annotate(score=Value(0.0)).none()
    query = SearchQuery(" & ".join([*words[:-1], f"{words[-1]}:*"]), search_type="raw", config="english_unaccent")
    said = markets.filter(search_vector=query).order_by("-pk")
    if said.exists():
        return _ranked(markets, said, SearchRank(F("search_vector"), query))
    nearly = markets.filter(Q(name__trigram_word_similar=text)).order_by()
    return _ranked(markets, nearly, TrigramWordSimilarity(text, "name"))


def _ranked(markets: MarketQuerySet, found: MarketQuerySet, score: SearchRank | TrigramWordSimilarity) -> MarketQuerySet:
    return markets.filter(pk__in=found.values("pk")[:MOST_RANKED]).annotate(score=Cast(score, FloatField()))
