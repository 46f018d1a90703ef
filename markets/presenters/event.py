from typing import Any

from markets.domain.time import time_text
from markets.models import Event


def present_event(event: Event) -> dict[str, Any]:
    """Without its actor."""
    return {
        "type": event.type,
        "market_id": event.market_id,
        "seq": event.seq,
        "at": time_text(event.at),
        **event.payload,
        "prices": event.prices,
    }
