"""Messages to viewers, each encoded once for all viewers of a process.

Server-sent events: https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

import json
import random
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

HEARTBEAT: Final = b": still here\n\n"
MIN_RETRY_MS, MAX_RETRY_MS = 1000, 4000  # spread, so that a lost server causes no stampede


def retry(after_ms: int | None = None) -> bytes:
    """Return the SSE field with the milliseconds until a viewer reconnects, by default random."""
    return b"retry: %d\n\n" % (after_ms or random.randint(MIN_RETRY_MS, MAX_RETRY_MS))  # noqa: S311


@dataclass(frozen=True)
class Frame:
    """One message to viewers. `id` is the position to resume from."""

    message: dict[str, Any]
    market_id: int = 0  # 0 for a message that is not about one market
    seq: int = 0  # of the market, once the viewer has this message
    id: str = ""

    @cached_property
    def json(self) -> str:
        return json.dumps(self.message, ensure_ascii=False, separators=(",", ":"))

    @cached_property
    def sse(self) -> bytes:
        """The frame for a stream that can be resumed."""
        return f"id: {self.id}\n".encode() + self.sse_without_id

    @cached_property
    def sse_without_id(self) -> bytes:
        """The frame for the stream of all markets, which cannot be resumed."""
        return f"event: {self.message['type']}\ndata: {self.json}\n\n".encode()


def market_frame(message: dict[str, Any]) -> Frame:
    """Return the frame of a market's event (`present_event`) or snapshot."""
    return Frame(message, message["market_id"], message["seq"], str(message["seq"]))


def snapshot_frame(market: Mapping[str, Any]) -> Frame:
    """Return the frame with the whole market (`present_market`), which begins a stream."""
    return market_frame(
        {
            "type": "snapshot",
            "market_id": market["id"],
            "seq": market["seq"],
            "at": market["updated_at"],
            "prices": {str(outcome["id"]): outcome["price"] for outcome in market["outcomes"]},
            "market": market,
        }
    )
