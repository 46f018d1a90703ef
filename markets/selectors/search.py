"""PostgreSQL's full-text search, with a last word cut short or mistyped words as a fallback."""

import re
from collections.abc import Iterator
from typing import Final

from django.contrib.postgres.search import SearchQuery, SearchRank, TrigramWordSimilarity
from django.db import connection
from django.db.models import F, FloatField
from django.db.models.expressions import RawSQL
from django.db.models.functions import Cast, Coalesce

from markets.domain.limits import QUERY_LENGTH
from markets.models.market import MarketQuerySet

MOST_RANKED: Final = 100  # markets, the newest: the rank says little where thousands match

# For each stem of the text the most similar stem of the vocabulary, or the stem itself.
_CORRECTED: Final = """
SELECT coalesce(near.text, stem.lexeme)
FROM unnest(to_tsvector('english_unaccent', %s)) AS stem LEFT JOIN LATERAL (
    SELECT text FROM markets_word WHERE text %% stem.lexeme
    ORDER BY similarity(text, stem.lexeme) DESC, text LIMIT 1
) AS near ON TRUE
"""


def matching(markets: MarketQuerySet, text: str) -> MarketQuerySet:
    """Return the matches of the first query that has any."""
    for query in _queries(text):
        found = markets.filter(search_vector=query)
        if found.order_by().exists():
            break
    return found


def ranked(markets: MarketQuerySet, text: str) -> MarketQuerySet:
    """Return the newest matches, with a `score`: rank plus similarity of the name."""
    for query in _queries(text):
        # ranking reads the search vector of every row: rank only the newest
        newest = markets.filter(search_vector=query).order_by("-pk").values_list("pk", flat=True)
        if found := list(newest[:MOST_RANKED]):
            break
    rank = Coalesce(Cast(SearchRank(F("search_vector"), query), FloatField()), 0.0)
    score = rank + Cast(TrigramWordSimilarity(text[:QUERY_LENGTH], "name"), FloatField())
    ids = RawSQL("SELECT unnest(%s::bigint[])", [found])
    return markets.filter(pk__in=ids).annotate(score=score)


def _queries(text: str) -> Iterator[SearchQuery]:
    """Yield queries for all words, for the last word as a prefix, and for corrected words."""
    text = text[:QUERY_LENGTH]
    yield SearchQuery(text, config="english_unaccent")
    if words := re.findall(r"\w+", text):
        yield SearchQuery(" & ".join(words) + ":*", search_type="raw", config="english_unaccent")
        with connection.cursor() as cursor:
            cursor.execute(_CORRECTED, [" ".join(words)])
            yield SearchQuery(" ".join(stem for (stem,) in cursor.fetchall()), config="simple")
