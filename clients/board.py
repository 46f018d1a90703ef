"""Live prices in the terminal, from the public streams."""

import asyncio
import json
import time
from dataclasses import dataclass, field
from typing import Any, Final

import httpx
from httpx_sse import SSEError, aconnect_sse
from rich import get_console
from rich.live import Live
from rich.table import Column, Table

HIGHLIGHT_SECONDS: Final = 3.0
MAX_PRICES: Final = 4  # of a market


class NotWatched(Exception):
    """The instance has no such market; the message says which."""


@dataclass
class Row:
    """A market. Prices are by outcome id, in the order of the outcomes."""

    name: str
    status: str = ""
    prices: dict[str, float] = field(default_factory=dict)
    first_prices: dict[str, float] = field(default_factory=dict)
    last_event: str = ""
    changed_at: float = 0.0


class Board:
    """The table and the streams that fill it."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/") + "/api/v1/markets"
        self.rows: dict[int, Row] = {}
        self.state = "connecting"
        self.events = 0

    async def run(self, markets: list[int]) -> None:
        paths = [f"/{number}/stream" for number in markets] or ["/stream"]
        with Live(get_renderable=lambda: self.table(get_console().height)):
            async with httpx.AsyncClient(timeout=httpx.Timeout(10, read=30)) as client:
                await asyncio.gather(*(self.follow(client, self.url + path) for path in paths))

    async def follow(self, client: httpx.AsyncClient, url: str) -> None:
        """Read one stream and resume after each end. Raise NotWatched when it does not exist."""
        cursor, retry_seconds = "", 2.0
        while True:
            try:
                headers = {"Last-Event-ID": cursor} if cursor else {}
                async with aconnect_sse(client, "GET", url, headers=headers) as source:
                    if source.response.status_code in {404, 422}:
                        await source.response.aread()
                        raise NotWatched(source.response.json()["detail"])
                    source.response.raise_for_status()
                    self.state = "live"
                    async for event in source.aiter_sse():
                        cursor = event.id
                        if event.retry:
                            retry_seconds = event.retry / 1000
                        if event.data:
                            self.apply(json.loads(event.data))
            except (httpx.HTTPError, SSEError):
                pass
            self.state = "reconnecting"
            await asyncio.sleep(retry_seconds)

    def apply(self, message: dict[str, Any]) -> None:
        """Put a snapshot or an event into the rows."""
        if message["type"] == "snapshot":
            for market in message.get("markets") or [{**message["market"], **message}]:
                row = self.update(market)
                row.name, row.status = market["name"], market["status"]
            return
        self.events += 1
        row = self.update(message)
        row.last_event = f"{message['at'][11:19]} {message['type']}"
        row.changed_at = time.monotonic()
        row.status = message.get("status", row.status)
        if "name" in message.get("changes", {}):
            row.name = message["changes"]["name"]["to"]

    def update(self, message: dict[str, Any]) -> Row:
        """Set the prices of the message's market, and return its row."""
        number = message["market_id"]
        row = self.rows.setdefault(number, Row(f"Market {number}"))
        row.prices = {outcome: float(price) for outcome, price in message["prices"].items()}
        row.first_prices = row.first_prices or row.prices
        return row

    def table(self, height: int) -> Table:
        """Return the markets that changed last, as many as fit."""
        table = Table(
            Column("#", justify="right"),
            Column("Market", ratio=3, no_wrap=True),
            "Status",
            Column("Prices", ratio=2, no_wrap=True),
            "Last",
            caption=f"{self.state} · {len(self.rows)} markets · {self.events} events",
            expand=True,
        )
        now = time.monotonic()
        newest = sorted(self.rows.items(), key=lambda item: (-item[1].changed_at, item[0]))
        for number, row in newest[: max(3, height - 6)]:
            style = "bold" if now - row.changed_at < HIGHLIGHT_SECONDS else ""
            cells = (str(number), row.name, row.status, prices_text(row), row.last_event)
            table.add_row(*cells, style=style)
        return table


def prices_text(row: Row) -> str:
    """Return the prices, each with the direction since watching began."""
    parts = []
    for outcome, price in list(row.prices.items())[:MAX_PRICES]:
        change = price - row.first_prices.get(outcome, price)
        colour, arrow = ("green", "▲") if change > 0 else ("red", "▼") if change < 0 else ("", " ")
        text = f"{price:6.1%}{arrow}"
        parts.append(f"[{colour}]{text}[/]" if colour else text)
    return " ".join(parts) + (" …" if len(row.prices) > MAX_PRICES else "")
