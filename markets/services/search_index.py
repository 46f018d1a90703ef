"""Index the texts of a market for search (`selectors/search.py` reads the index)."""

from django.db import connection

_INDEX = """
UPDATE markets_market AS market SET search_vector =
    setweight(to_tsvector('english_unaccent', market.name), 'A') ||
    setweight(to_tsvector('english_unaccent', concat_ws(' ',
        (SELECT name FROM markets_category WHERE id = market.category_id),
        (SELECT string_agg(tag.name, ' ') FROM markets_tag tag
            JOIN markets_market_tags link ON link.tag_id = tag.id WHERE link.market_id = market.id),
        (SELECT string_agg(label, ' ') FROM markets_outcome WHERE market_id = market.id))), 'B') ||
    setweight(to_tsvector('english_unaccent', concat_ws(' ',
        market.description, market.resolution_criteria)), 'C')
WHERE id = %s
"""

# in alphabetical order, so that two transactions with the same new words do not deadlock
_ADD_WORDS = """
INSERT INTO markets_word (text)
SELECT lexeme FROM markets_market AS market, unnest(market.search_vector)
WHERE market.id = %s AND weights && '{A,B}' AND lexeme ~ '^[[:alpha:]]{3,40}$' ORDER BY lexeme
ON CONFLICT DO NOTHING
"""


def index(market_id: int) -> None:
    """Rewrite the search vector and add its words to the vocabulary.

    The name weighs most, then category, tags and labels, then the texts.
    """
    with connection.cursor() as cursor:
        cursor.execute(_INDEX, [market_id])
        cursor.execute(_ADD_WORDS, [market_id])
