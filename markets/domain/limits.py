"""The lengths (in characters), counts and sizes that are allowed."""

from typing import Final

from markets.domain.amounts import LARGEST_AMOUNT, MICRO

USERNAME_LENGTH: Final = 30  # of a person's public name
NAME_LENGTH: Final = 300  # of a market's name
SLUG_LENGTH: Final = 80
TEXT_LENGTH: Final = 50_000  # of descriptions and resolution criteria
LINK_LENGTH: Final = 500
LABEL_LENGTH: Final = 120  # of an outcome
SHELF_LENGTH: Final = 80  # of a category's or tag's name
REASON_LENGTH: Final = 300
COMMENT_LENGTH: Final = 5_000
ORDER_ID_LENGTH: Final = 100
QUERY_LENGTH: Final = 200  # of a search; the rest is ignored

FEWEST_OUTCOMES: Final = 2
MOST_OUTCOMES: Final = 20
MOST_TAGS: Final = 10
MOST_COMMENTS_A_MINUTE: Final = 5  # of one person, and edits
MOST_ANSWERS: Final = 100  # to one comment
MOST_PINNED: Final = 10  # comments of one market
MOST_KEYS: Final = 20  # of one person, that are neither revoked nor expired
LEAST_PROBABILITY: Final = 100  # millionths
LEAST_LIQUIDITY: Final = MICRO  # micro-shares
MOST_LIQUIDITY: Final = LARGEST_AMOUNT // 1000
DEFAULT_LIQUIDITY: Final = 100 * MICRO
LEAST_SHARES: Final = MICRO // 100  # micro-shares of a trade

FIRST_YEAR: Final = 1900  # PostgreSQL, JSON clients and calendars agree on these
LAST_YEAR: Final = 9000
