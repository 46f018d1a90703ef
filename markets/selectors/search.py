"""PostgreSQL's full-text search, with a last word cut short or mistyped words as a fallback."""

import re
from collections.abc import Iterator
from functools import reduce
from operator import and_
from typing import Final

from django.contrib.postgres.search import SearchQuery, SearchRank, TrigramWordSimilarity
from django.db import connection
from django.db.models import F, FloatField, Q, Value
from django.db.models.expressions import Combinable, RawSQL
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
    for matches, _rank in _queries(text):
        found = markets.filter(matches)
        if found.order_by().exists():
            break
    return found


def ranked(markets: MarketQuerySet, text: str) -> MarketQuerySet:
    """Return the newest matches, with a `score`: rank plus similarity of the name."""
    found: list[int] = []
    best: Combinable = Value(0.0)
    for matches, rank in _queries(text):
        # ranking reads the search vector of every row: rank only the newest
        newest = markets.filter(matches).order_by("-pk").values_list("pk", flat=True)
        if found := list(newest[:MOST_RANKED]):
            best = rank
            break
    score = best + Cast(TrigramWordSimilarity(text[:QUERY_LENGTH], "name"), FloatField())
    ids = RawSQL("SELECT unnest(%s::bigint[])", [found])
    return markets.filter(pk__in=ids).annotate(score=score)


def _queries(text: str) -> Iterator[tuple[Q, Combinable]]:
    """Yield queries and their ranks: for all words, the last one cut short, and corrected words.

    Words such as "will" are in no search vector: nothing but such words is looked for in names.
    """
    text = text[:QUERY_LENGTH]
    yield _lexemes(SearchQuery(text, config="english_unaccent"))
    words = re.findall(r"\w+", text)
    if not words:
        return
    last_cut_short = " & ".join(words) + ":*"
    yield _lexemes(SearchQuery(last_cut_short, search_type="raw", config="english_unaccent"))
    with connection.cursor() as cursor:
        cursor.execute(_CORRECTED, [" ".join(words)])
        corrected = [stem for (stem,) in cursor.fetchall()]
    if corrected:
        yield _lexemes(SearchQuery(" ".join(corrected), config="simple"))
    else:
        names = (Q(name__iregex=rf"\m{word}") for word in dict.fromkeys(words))
        yield reduce(and_, names), Value(0.0)


def _lexemes(query: SearchQuery) -> tuple[Q, Combinable]:
    rank = Coalesce(Cast(SearchRank(F("search_vector"), query), FloatField()), 0.0)
    return Q(search_vector=query), rank
