"""A quote."""

from typing import Any

from markets.domain.amounts import to_text
from markets.domain.orders import Quote


def present_quote(quote: Quote, seq: int) -> dict[str, Any]:
    """Return what an order would do while the market stands at `seq`."""
    return {
        "shares": to_text(quote.shares),
        "cost": to_text(quote.cost),
        "average_price": to_text(quote.average_price),
        "price_before": to_text(quote.before[quote.index]),
        "price_after": to_text(quote.after[quote.index]),
        "seq": seq,
    }
