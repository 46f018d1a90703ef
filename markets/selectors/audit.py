"""The audit: every promise about money and the log, checked on the whole database."""

from dataclasses import dataclass
from typing import Final

from django.db import connection

# name: a query whose every row (subject, detail) is a breach
CHECKS: Final = {
    "entries_sum_to_zero": """
        SELECT 'entry ' || entry_id, 'sums to ' || sum(amount) FROM markets_posting GROUP BY entry_id HAVING sum(amount) <> 0""",
    "balances_are_the_sum_of_postings": """
        SELECT 'account ' || account.id, 'balance ' || account.balance || ', postings ' || coalesce(sum(posting.amount), 0)
        FROM markets_account account LEFT JOIN markets_posting posting ON posting.account_id = account.id
        GROUP BY account.id HAVING account.balance <> coalesce(sum(posting.amount), 0)""",
    "money_sums_to_zero": """
        SELECT 'all accounts', 'sum to ' || sum(balance) FROM markets_account HAVING sum(balance) <> 0""",
    "nobody_is_overdrawn": """
        SELECT 'account ' || id, 'balance ' || balance FROM markets_account WHERE kind <> 'issuance' AND balance < 0""",
    "markets_can_pay": """
        SELECT 'market ' || market.id, 'has ' || coalesce(account.balance, 0) || ', may owe ' || max(outcome.shares)
        FROM markets_market market JOIN markets_outcome outcome ON outcome.market_id = market.id
        LEFT JOIN markets_account account ON account.market_id = market.id
        WHERE market.status NOT IN ('resolved', 'cancelled')
        GROUP BY market.id, account.balance HAVING coalesce(account.balance, 0) < max(outcome.shares)""",
    "settled_markets_hold_nothing": """
        SELECT 'market ' || market.id, 'still has ' || account.balance FROM markets_market market
        JOIN markets_account account ON account.market_id = market.id
        WHERE market.status IN ('resolved', 'cancelled') AND account.balance <> 0""",
    "shares_are_held_by_somebody": """
        SELECT 'outcome ' || outcome.id, 'shares ' || outcome.shares || ', positions ' || coalesce(sum(position.shares), 0)
        FROM markets_outcome outcome LEFT JOIN markets_position position ON position.outcome_id = outcome.id
        GROUP BY outcome.id HAVING outcome.shares <> coalesce(sum(position.shares), 0)""",
    "positions_follow_from_trades": """
        SELECT 'trader ' || position.trader_id || ' outcome ' || position.outcome_id,
            'holds ' || position.shares || ' at ' || position.net_cost || ', trades say ' || sum(traded.shares) || ' at ' || sum(traded.cost)
        FROM markets_position position JOIN (SELECT trader_id, outcome_id,
            CASE side WHEN 'buy' THEN shares ELSE -shares END AS shares, CASE side WHEN 'buy' THEN cost ELSE -cost END AS cost
            FROM markets_trade) traded USING (trader_id, outcome_id)
        GROUP BY position.id HAVING position.shares <> sum(traded.shares) OR position.net_cost <> sum(traded.cost)""",
    "trades_have_their_money": """
        SELECT 'trade ' || trade.id, 'cost ' || trade.cost || ', posted ' || coalesce(posting.amount, 0) FROM markets_trade trade
        JOIN markets_account account ON account.user_id = trade.trader_id
        LEFT JOIN markets_posting posting ON posting.entry_id = trade.entry_id AND posting.account_id = account.id
        WHERE coalesce(posting.amount, 0) <> CASE trade.side WHEN 'buy' THEN -trade.cost ELSE trade.cost END""",
    "totals_follow_from_trades": """
        SELECT 'market ' || market.id, 'volume ' || market.volume || ' in ' || market.trade_count || ', trades say '
            || coalesce(sum(trade.cost), 0) || ' in ' || count(trade.id)
        FROM markets_market market LEFT JOIN markets_trade trade ON trade.market_id = market.id
        GROUP BY market.id HAVING market.volume <> coalesce(sum(trade.cost), 0) OR market.trade_count <> count(trade.id)
            OR market.trader_count <> count(DISTINCT trade.trader_id)""",
    "events_are_gapless": """
        SELECT 'market ' || market.id, 'seq ' || market.seq || ', events ' || count(event.id) || ' up to ' || coalesce(max(event.seq), 0)
        FROM markets_market market LEFT JOIN markets_event event ON event.market_id = market.id
        GROUP BY market.id HAVING market.seq <> count(event.id) OR market.seq <> coalesce(max(event.seq), 0)""",
}  # fmt: skip


@dataclass(frozen=True)
class Breach:
    check: str
    subject: str
    detail: str


def breaches() -> list[Breach]:
    """Every breach of every check, in one snapshot of the database. Empty when all is well."""
    found = []
    with connection.cursor() as cursor:
        for name, query in CHECKS.items():
            cursor.execute(query)
            found += [Breach(name, subject, detail) for subject, detail in cursor.fetchall()]
    return found
