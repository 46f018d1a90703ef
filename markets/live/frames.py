"""Messages to viewers, each encoded once a process.

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
    """Return the SSE field that says when to reconnect, by default at random."""
    return b"retry: %d\n\n" % (after_ms or random.randint(MIN_RETRY_MS, MAX_RETRY_MS))  # noqa: S311


@dataclass(frozen=True)
class Frame:
    message: dict[str, Any]
    market_id: int = 0  # 0: not about one market
    seq: int = 0  # of the market
    id: str = ""  # the position to resume from

    @cached_property
    def json(self) -> str:
        return json.dumps(self.message, ensure_ascii=False, separators=(",", ":"))

    @cached_property
    def sse(self) -> bytes:
        return f"id: {self.id}\n".encode() + self.sse_without_id

    @cached_property
    def sse_without_id(self) -> bytes:
        """For the stream of all markets, which cannot be resumed."""
        return f"event: {self.message['type']}\ndata: {self.json}\n\n".encode()


def market_frame(message: dict[str, Any]) -> Frame:
    """Of an event (`present_event`) or a snapshot."""
    return Frame(message, message["market_id"], message["seq"], str(message["seq"]))


def snapshot_frame(market: Mapping[str, Any]) -> Frame:
    """Of a whole market (`present_market`)."""
    message = {
        "type": "snapshot",
        "market_id": market["id"],
        "seq": market["seq"],
        "at": market["updated_at"],
        "prices": {str(outcome["id"]): outcome["price"] for outcome in market["outcomes"]},
        "market": market,
    }
    return market_frame(message)
