"""Makes a market findable by what it says now (`selectors/search.py` is the other half)."""

from django.db import connection

_INDEX = """
UPDATE markets_market AS market SET search_vector =
    setweight(to_tsvector('english_unaccent', market.name), 'A') ||
    setweight(to_tsvector('english_unaccent', concat_ws(' ',
        (SELECT name FROM markets_category WHERE id = market.category_id),
        (SELECT string_agg(tag.name, ' ') FROM markets_tag tag
            JOIN markets_market_tags link ON link.tag_id = tag.id WHERE link.market_id = market.id),
        (SELECT string_agg(label, ' ') FROM markets_outcome WHERE market_id = market.id))), 'B') ||
    setweight(to_tsvector('english_unaccent', concat_ws(' ', market.description, market.resolution_criteria)), 'C')
WHERE id = %s
"""

# In alphabetical order: two transactions that bring the same new words wait for each other and never in a circle.
_LEARN = """
INSERT INTO markets_word (text)
SELECT lexeme FROM markets_market AS market, unnest(market.search_vector)
WHERE market.id = %s AND weights && '{A,B}' AND lexeme ~ '^[[:alpha:]]{3,40}$' ORDER BY lexeme
ON CONFLICT DO NOTHING
"""


def index(market_id: int) -> None:
    """Rewrite the search vector: the name weighs most, then shelf, tags and labels, then the texts. Learn the words."""
    with connection.cursor() as cursor:
        cursor.execute(_INDEX, [market_id])
        cursor.execute(_LEARN, [market_id])
