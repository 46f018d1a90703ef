"""What goes over the wire, encoded once for all viewers of a process.

Server-sent events: https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from markets.models import Market
from markets.selectors.markets import present, time_text

RETRY_MS: Final = 2000
HELLO: Final = f"retry: {RETRY_MS}\n\n".encode()
HEARTBEAT: Final = b": still here\n\n"


@dataclass(frozen=True)
class Frame:
    """One message about one market (or, with `market_id` 0, about all of them)."""

    market_id: int
    seq: int
    message: dict[str, Any]

    @cached_property
    def json(self) -> str:
        return json.dumps(self.message, ensure_ascii=False, separators=(",", ":"))

    @cached_property
    def sse(self) -> bytes:
        """For the stream of one market, where `id` is its `seq`."""
        return f"id: {self.seq}\n".encode() + self.sse_without_id

    @cached_property
    def sse_without_id(self) -> bytes:
        """For the stream of all markets, which has no position to resume from."""
        return f"event: {self.message['type']}\ndata: {self.json}\n\n".encode()


def event_frame(message: dict[str, Any]) -> Frame:
    """The frame of an event (`Event.message()`)."""
    return Frame(message["market_id"], message["seq"], message)


def snapshot_frame(market: Market) -> Frame:
    """The whole market as it stands: where a stream begins."""
    facts = {"market_id": market.pk, "seq": market.seq, "at": time_text(market.updated_at)}
    message = {"type": "snapshot", **facts, "prices": market.price_texts(), "market": present(market)}
    return Frame(market.pk, market.seq, message)


def lobby_frame(markets: list[Market], *, complete: bool) -> Frame:
    """The state of many markets in short. `complete` is false when there are more markets than these, the most recent."""
    return Frame(0, 0, {"type": "snapshot", "complete": complete, "markets": [_short(market) for market in markets]})


def _short(market: Market) -> dict[str, Any]:
    facts = {"market_id": market.pk, "seq": market.seq, "at": time_text(market.updated_at), "slug": market.slug}
    return {**facts, "name": market.name, "status": market.status, "prices": market.price_texts()}
