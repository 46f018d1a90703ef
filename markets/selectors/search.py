"""Full-text search: PostgreSQL's; what is unfinished or typed wrong is taken for what it resembles."""

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

MOST_RANKED: Final = (
    100  # markets: the newest of those that say it; a word that thousands say ranks nobody well
)

# The stem of each word, or that which resembles it most of those that markets are named with.
_MEANT: Final = """
SELECT coalesce(near.text, stem.lexeme) FROM unnest(to_tsvector('english_unaccent', %s)) AS stem LEFT JOIN LATERAL (
    SELECT text FROM markets_word WHERE text %% stem.lexeme ORDER BY similarity(text, stem.lexeme) DESC, text LIMIT 1
) AS near ON TRUE
"""


def matching(markets: MarketQuerySet, text: str) -> MarketQuerySet:
    """The markets that say `text`; if none, it with its last word unfinished; if none, what it was perhaps meant to be."""
    for query in _readings(text):
        said = markets.filter(search_vector=query)
        if said.order_by().exists():
            break
    return said


def ranked(markets: MarketQuerySet, text: str) -> MarketQuerySet:
    """The newest of those, each with a `score`, best highest: how much it says it, and how near its name comes to the text."""
    for query in _readings(text):
        # Looked up before they are ranked: ranking whatever matches reads every one of it.
        newest = markets.filter(search_vector=query).order_by("-pk").values_list("pk", flat=True)
        if found := list(newest[:MOST_RANKED]):
            break
    rank = Coalesce(Cast(SearchRank(F("search_vector"), query), FloatField()), 0.0)
    score = rank + Cast(TrigramWordSimilarity(text[:QUERY_LENGTH], "name"), FloatField())
    return markets.filter(pk__in=RawSQL("SELECT unnest(%s::bigint[])", [found])).annotate(
        score=score
    )


def _readings(text: str) -> Iterator[SearchQuery]:
    """What `text` may stand for, likeliest first."""
    text = text[:QUERY_LENGTH]
    yield SearchQuery(text, config="english_unaccent")
    words = re.findall(r"\w+", text)
    if words:
        yield SearchQuery(" & ".join(words) + ":*", search_type="raw", config="english_unaccent")
        with connection.cursor() as cursor:
            cursor.execute(_MEANT, [" ".join(words)])
            yield SearchQuery(" ".join(stem for (stem,) in cursor.fetchall()), config="simple")
