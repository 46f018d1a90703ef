"""What a resolution would pay."""

from typing import Any

from markets.domain.amounts import to_text
from markets.domain.settlement import Settlement


def present_settlement(settlement: Settlement) -> dict[str, Any]:
    """Return who would be paid what, by user id, and what would go back to the issuance."""
    payouts = [
        {"user_id": user_id, "amount": to_text(amount)}
        for user_id, amount in sorted(settlement.payouts.items())
    ]
    return {"dry_run": True, "payouts": payouts, "returned": to_text(settlement.returned)}
