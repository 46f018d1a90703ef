"""The audit: invariants of the ledger and the log, checked on the whole database."""

from dataclasses import dataclass
from typing import Final

from django.db import connection
from django.db.models import Sum

from markets.models import Account

# by name, a query whose rows (subject, detail) are the breaches
CHECKS: Final = {
    "entries_sum_to_zero": """
        SELECT 'entry ' || entry_id, 'sums to ' || sum(amount)
        FROM markets_posting GROUP BY entry_id HAVING sum(amount) <> 0""",
    "balances_are_the_sum_of_postings": """
        SELECT 'account ' || account.id,
            'balance ' || account.balance || ', postings ' || coalesce(sum(amount), 0)
        FROM markets_account account LEFT JOIN markets_posting ON account_id = account.id
        GROUP BY account.id HAVING account.balance <> coalesce(sum(amount), 0)""",
    "money_sums_to_zero": """
        SELECT 'all accounts', 'sum to ' || sum(balance)
        FROM markets_account HAVING sum(balance) <> 0""",
    "nobody_is_overdrawn": """
        SELECT 'account ' || id, 'balance ' || balance
        FROM markets_account WHERE kind <> 'issuance' AND balance < 0""",
    "markets_can_pay": """
        SELECT 'market ' || market.id,
            'has ' || coalesce(balance, 0) || ', may owe ' || max(shares)
        FROM markets_market market JOIN markets_outcome outcome ON outcome.market_id = market.id
        LEFT JOIN markets_account account ON account.market_id = market.id
        WHERE status NOT IN ('resolved', 'cancelled')
        GROUP BY market.id, balance HAVING coalesce(balance, 0) < max(shares)""",
    "settled_markets_hold_nothing": """
        SELECT 'market ' || market.id, 'still has ' || balance FROM markets_market market
        JOIN markets_account account ON account.market_id = market.id
        WHERE status IN ('resolved', 'cancelled') AND balance <> 0""",
    "shares_are_held_by_somebody": """
        SELECT 'outcome ' || outcome.id,
            'shares ' || outcome.shares || ', positions ' || coalesce(sum(position.shares), 0)
        FROM markets_outcome outcome LEFT JOIN markets_position position
            ON position.outcome_id = outcome.id
        GROUP BY outcome.id HAVING outcome.shares <> coalesce(sum(position.shares), 0)""",
    "positions_follow_from_trades": """
        SELECT 'trader ' || trader_id || ' outcome ' || outcome_id,
            'holds ' || position.shares || ' at ' || net_cost
            || ', trades say ' || sum(bought) || ' at ' || sum(paid)
        FROM markets_position position JOIN (SELECT trader_id, outcome_id,
            CASE side WHEN 'buy' THEN shares ELSE -shares END AS bought,
            CASE side WHEN 'buy' THEN cost ELSE -cost END AS paid
            FROM markets_trade) trade USING (trader_id, outcome_id)
        GROUP BY position.id HAVING position.shares <> sum(bought) OR net_cost <> sum(paid)""",
    "trades_have_their_money": """
        SELECT 'trade ' || trade.id, 'cost ' || cost || ', posted ' || coalesce(amount, 0)
        FROM markets_trade trade JOIN markets_account account ON account.user_id = trader_id
        LEFT JOIN markets_posting posting
            ON posting.entry_id = trade.entry_id AND posting.account_id = account.id
        WHERE coalesce(amount, 0) <> CASE side WHEN 'buy' THEN -cost ELSE cost END""",
    "totals_follow_from_trades": """
        SELECT 'market ' || market.id, 'volume ' || volume || ' in ' || trade_count
            || ', trades say ' || coalesce(sum(cost), 0) || ' in ' || count(trade.id)
        FROM markets_market market LEFT JOIN markets_trade trade ON market_id = market.id
        GROUP BY market.id HAVING volume <> coalesce(sum(cost), 0)
            OR trade_count <> count(trade.id) OR trader_count <> count(DISTINCT trader_id)""",
    "events_are_gapless": """
        SELECT 'market ' || market.id, 'seq ' || market.seq
            || ', events ' || count(event.id) || ' up to ' || coalesce(max(event.seq), 0)
        FROM markets_market market LEFT JOIN markets_event event ON market_id = market.id
        GROUP BY market.id
        HAVING market.seq <> count(event.id) OR market.seq <> coalesce(max(event.seq), 0)""",
}


@dataclass(frozen=True)
class Breach:
    check: str
    subject: str
    detail: str


def breaches() -> list[Breach]:
    found = []
    with connection.cursor() as cursor:
        for name, query in CHECKS.items():
            cursor.execute(query)
            found += [Breach(name, subject, detail) for subject, detail in cursor.fetchall()]
    return found


def balances() -> dict[str, int]:
    """Return the micro-credits of all accounts by their kind."""
    sums = Account.objects.order_by().values_list("kind").annotate(total=Sum("balance"))
    return {**dict.fromkeys(Account.Kind.values, 0), **dict(sums)}
