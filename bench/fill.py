"""Many markets and many trades, in bulk: for measuring what size costs. Never on an installation that is used.

`fill(markets, trades)` adds so many active markets with outcomes, categories, tags and their first event, and one market with so
many trades, all consistent with each other as far as reads look. 100,000 and 1,000,000 take some three minutes.
"""

from __future__ import annotations

from django.db import connection

from bench.trades import FILL

MARKETS = """
WITH words AS (
    SELECT ARRAY['election', 'rain', 'release', 'budget', 'merger', 'record', 'launch', 'strike', 'harvest', 'treaty',
        'vaccine', 'bridge', 'summit', 'medal', 'tariff', 'album', 'reactor', 'census', 'drought', 'railway'] AS w
), made AS (
    INSERT INTO markets_market (slug, name, description, resolution_criteria, status, category_id, liquidity, price_floor, close_at,
        public, public_from, source_url, seq, version, volume, trade_count, trader_count, ranked_volume, active_at, created_at, updated_at,
        search_vector)
    SELECT 'filled-' || n, name, 'About ' || name, '', CASE WHEN n %% 10 = 0 THEN 'closed' ELSE 'active' END,
        (SELECT id FROM markets_category ORDER BY id OFFSET n %% 20 LIMIT 1), 100000000, 1000,
        now() + make_interval(mins => (n * 7919 %% 500000)::int), TRUE, 1, '', 1, 1, volume, 0, 0, volume, at, at, at,
        setweight(to_tsvector('english_unaccent', name), 'A')
    FROM (
        SELECT n, 'Will the ' || w[1 + n %% 20] || ' of the ' || w[1 + n / 20 %% 20] || ' number ' || n || ' succeed?' AS name,
            (n * 104729 %% 1000000) * 1000 AS volume, now() - make_interval(secs => (n * 15485863 %% 10000000)::int) AS at
        FROM words, generate_series(%(first)s::bigint, %(last)s::bigint) AS n
    ) AS facts RETURNING id, created_at
), outcomes AS (
    INSERT INTO markets_outcome (market_id, position, label, probability, shares)
    SELECT id, 0, 'Yes', 500000, 0 FROM made UNION ALL SELECT id, 1, 'No', 500000, 0 FROM made
), tagged AS (
    INSERT INTO markets_market_tags (market_id, tag_id) SELECT made.id, tag.id FROM made
    JOIN (SELECT id, row_number() OVER (ORDER BY id) - 1 AS n FROM markets_tag) AS tag ON tag.n = made.id %% 50
)
INSERT INTO markets_event (market_id, seq, type, at, payload, prices, request_id, pending)
SELECT id, 1, 'market.created', created_at, '{}', '{}', '', FALSE FROM made
"""

# The words of their names, and one more for each that nobody typed: a vocabulary grows with its markets.
LEARNT = """
INSERT INTO markets_word (text)
SELECT lexeme FROM markets_market AS market, unnest(market.search_vector) WHERE lexeme ~ '^[[:alpha:]]{3,40}$'
UNION SELECT left(translate(md5(id::text), '0123456789', 'ghijklmnop'), 8) FROM markets_market
ON CONFLICT DO NOTHING
"""


def fill(markets: int, trades: int) -> tuple[int, int]:
    """Add them; gives the ids of the market with the trades and of its first outcome."""
    from bench.trades import scene
    from markets.models import Account, Category, Market, Tag

    Category.objects.bulk_create(
        [Category(slug=f"c{n}", name=f"Category {n}") for n in range(20)], ignore_conflicts=True
    )
    Tag.objects.bulk_create(
        [Tag(slug=f"t{n}", name=f"Tag {n}") for n in range(50)], ignore_conflicts=True
    )
    known = Market.objects.count()
    for first in range(known, known + markets, 10_000):
        with connection.cursor() as cursor:
            cursor.execute(
                MARKETS, {"first": first, "last": min(first + 10_000, known + markets) - 1}
            )
    with connection.cursor() as cursor:
        cursor.execute(LEARNT)
    (market, outcome), *_ = scene(1)[0]
    trader = Account.objects.filter(kind=Account.Kind.TRADER).latest("pk")
    facts = {
        "market": market,
        "outcome": outcome,
        "trader": trader.user_id,
        "most": trades,
        "account": trader.pk,
    }
    facts["market_account"] = Account.objects.get(market=market).pk
    seq = Market.objects.get(pk=market).seq
    for start in range(seq, seq + trades, 50_000):
        with connection.cursor() as cursor:
            cursor.execute(
                FILL, {**facts, "first": start, "last": min(start + 50_000, seq + trades) - 1}
            )
    Market.objects.filter(pk=market).update(seq=seq + trades, trade_count=trades)
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")
    return market, outcome
