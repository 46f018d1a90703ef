"""What goes over the wire, encoded once for all viewers of a process.

Server-sent events: https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

import json
import random
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from markets.models import Market
from markets.presenters.market import present_market_in_short

HEARTBEAT: Final = b": still here\n\n"
EARLIEST_RETURN, LATEST_RETURN = (
    1000,
    4000,
)  # ms until a viewer who lost the server tries again: spread, so no stampede


def retry(after_ms: int | None = None) -> bytes:
    """Tells a viewer of server-sent events how long to wait before it connects again; by default each another time."""
    return b"retry: %d\n\n" % (after_ms or random.randint(EARLIEST_RETURN, LATEST_RETURN))  # noqa: S311


@dataclass(frozen=True)
class Frame:
    """One message; about a market at `seq`, or (`market_id` 0) about something else. `id` is where to resume from."""

    market_id: int
    seq: int
    message: dict[str, Any]
    id: str = ""

    @cached_property
    def json(self) -> str:
        return json.dumps(self.message, ensure_ascii=False, separators=(",", ":"))

    @cached_property
    def sse(self) -> bytes:
        """For a stream that can be resumed."""
        return f"id: {self.id}\n".encode() + self.sse_without_id

    @cached_property
    def sse_without_id(self) -> bytes:
        """For the stream of all markets, which has no position to resume from."""
        return f"event: {self.message['type']}\ndata: {self.json}\n\n".encode()


def event_frame(message: dict[str, Any]) -> Frame:
    """The frame of an event (`present_event`)."""
    return Frame(message["market_id"], message["seq"], message, id=str(message["seq"]))


def snapshot_frame(market: Mapping[str, Any]) -> Frame:
    """The whole market (`present_market`) as it stands: where a stream begins."""
    facts = {"market_id": market["id"], "seq": market["seq"], "at": market["updated_at"]}
    prices = {str(outcome["id"]): outcome["price"] for outcome in market["outcomes"]}
    message = {"type": "snapshot", **facts, "prices": prices, "market": market}
    return Frame(market["id"], market["seq"], message, id=str(market["seq"]))


def lobby_frame(markets: list[Market], *, complete: bool) -> Frame:
    """The state of many markets in short. `complete` is false when there are more markets than these, the most recent."""
    shown = [present_market_in_short(market) for market in markets]
    return Frame(0, 0, {"type": "snapshot", "complete": complete, "markets": shown})
