"""The audit of the ledger notices each kind of damage."""

import pytest
from django.db import connection

from markets.selectors import audit
from markets.services.ledger import audit_ledger
from tests.support.clock import NOW

pytestmark = pytest.mark.usefixtures("the_audit_is_clean")


DAMAGE = {
    "balances_are_the_sum_of_postings": "UPDATE markets_account SET balance = balance + 1 WHERE kind = 'trader'",
    "entries_sum_to_zero": "UPDATE markets_posting SET amount = amount + 1 WHERE id = (SELECT max(id) FROM markets_posting)",
    "money_sums_to_zero": "UPDATE markets_account SET balance = balance + 1 WHERE kind = 'issuance'",
    "markets_can_pay": "UPDATE markets_outcome SET shares = shares + 1000000000",
    "settled_markets_hold_nothing": "UPDATE markets_market SET status = 'cancelled'",
    "shares_are_held_by_somebody": "UPDATE markets_outcome SET shares = shares + 1",
    "positions_follow_from_trades": "UPDATE markets_position SET net_cost = net_cost + 1",
    "trades_have_their_money": "UPDATE markets_trade SET cost = cost + 1",
    "totals_follow_from_trades": "UPDATE markets_market SET volume = volume + 1",
    "events_are_gapless": "UPDATE markets_market SET seq = seq + 1",
}


@pytest.mark.parametrize("check", DAMAGE)
def test_the_audit_names_each_kind_of_damage(traded, check):
    from django.core.management import CommandError, call_command

    with connection.cursor() as cursor:
        cursor.execute(DAMAGE[check])
    run = audit_ledger(now=NOW)
    assert check in {breach["check"] for breach in run.breaches}
    with pytest.raises(CommandError, match="breach"):
        call_command("audit_ledger")
    with connection.cursor() as cursor:  # so that the fixture finds it whole again
        undo = DAMAGE[check].replace("+ 1", "- 1").replace("'cancelled'", "'active'")
        cursor.execute(undo)


def test_every_check_of_the_audit_can_fail():
    assert set(DAMAGE) == set(audit.CHECKS) - {"nobody_is_overdrawn"}, (
        "which the database refuses by itself"
    )
