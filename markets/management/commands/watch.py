"""`manage.py watch`: prices as they move, in the terminal. A client of the public streams, and of nothing else."""

import asyncio
import contextlib
import json
import time
from dataclasses import dataclass, field
from typing import Any, Final

import httpx
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from httpx_sse import SSEError, aconnect_sse
from rich.console import Console
from rich.live import Live
from rich.table import Table

FRESH: Final = 3.0  # seconds that a change stands out
SHOWN: Final = 4  # prices of a market


class Command(BaseCommand):
    help = "Watch prices move: all markets, or those whose numbers are given. Ctrl-C ends it."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("markets", nargs="*", type=int, metavar="MARKET")
        parser.add_argument(
            "--url", default=settings.BASE_URL, help="the instance (default: %(default)s)"
        )
        parser.add_argument("--seconds", type=float, help="end by itself after so long")

    def handle(self, *_args: Any, **options: Any) -> None:
        board = Board(options["url"])
        with contextlib.suppress(KeyboardInterrupt):
            asyncio.run(board.run(options["markets"], options["seconds"]))
        if board.refusal:
            raise CommandError(board.refusal)


@dataclass
class Row:
    """What is known of a market. Prices are by outcome, in the outcomes' order."""

    name: str = ""
    status: str = ""
    prices: dict[str, float] = field(default_factory=dict)
    first: dict[str, float] = field(default_factory=dict)  # the prices when watching began
    last: str = ""  # what happened last
    moved_at: float = 0.0


class Board:
    """The table and the streams that fill it."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/") + "/api/v1/markets"
        self.rows: dict[int, Row] = {}
        self.state = "connecting"
        self.events = 0
        self.refusal = ""

    async def run(self, markets: list[int], seconds: float | None) -> None:
        paths = [f"/{number}/stream" for number in markets] or ["/stream"]
        console = Console()
        with Live(
            console=console, get_renderable=lambda: self.table(console.height), refresh_per_second=5
        ):
            async with httpx.AsyncClient(timeout=httpx.Timeout(10, read=30)) as client:
                following = [
                    asyncio.create_task(self.follow(client, self.url + path)) for path in paths
                ]
                await asyncio.wait(following, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
                for task in following:
                    task.cancel()

    async def follow(self, client: httpx.AsyncClient, url: str) -> None:
        """Read one stream for ever, coming back after each end as the server asked."""
        position, pause = "", 2.0
        while True:
            try:
                headers = {"Last-Event-ID": position} if position else {}
                async with aconnect_sse(client, "GET", url, headers=headers) as source:
                    if source.response.status_code in {404, 422}:
                        await source.response.aread()
                        self.refusal = source.response.json()["detail"]
                        return
                    source.response.raise_for_status()
                    self.state = "live"
                    async for event in source.aiter_sse():
                        position, pause = event.id, (event.retry or pause * 1000) / 1000
                        if event.data:
                            self.hear(json.loads(event.data))
            except (httpx.HTTPError, SSEError):
                pass
            self.state = "reconnecting"
            await asyncio.sleep(pause)

    def hear(self, message: dict[str, Any]) -> None:
        if message["type"] == "snapshot":
            for market in message.get("markets") or [{**message["market"], **message}]:
                self.show(
                    market["market_id"],
                    market["prices"],
                    name=market["name"],
                    status=market["status"],
                )
            return
        self.events += 1
        row = self.show(message["market_id"], message["prices"])
        row.last, row.moved_at = f"{message['at'][11:19]} {message['type']}", time.monotonic()
        if "name" in message.get("changes", {}):
            row.name = message["changes"]["name"]["to"]
        row.status = message.get("status", row.status)

    def show(self, market_id: int, prices: dict[str, str], **facts: str) -> Row:
        row = self.rows.setdefault(market_id, Row(name=f"Market {market_id}"))
        row.prices = {outcome: float(price) for outcome, price in prices.items()}
        row.first = row.first or row.prices
        for name, value in facts.items():
            setattr(row, name, value)
        return row

    def table(self, height: int) -> Table:
        """The markets that moved last, as many as fit."""
        caption = f"{self.state} · {len(self.rows)} markets · {self.events} events"
        table = Table(caption=caption, expand=True)
        table.add_column("#", justify="right")
        table.add_column("Market", ratio=3, no_wrap=True)
        table.add_column("Status")
        table.add_column("Prices", ratio=2, no_wrap=True)
        table.add_column("Last")
        now = time.monotonic()
        lively = sorted(self.rows.items(), key=lambda item: (-item[1].moved_at, item[0]))
        for market_id, row in lively[: max(3, height - 6)]:
            style = "bold" if now - row.moved_at < FRESH else ""
            table.add_row(
                str(market_id), row.name, row.status, prices_text(row), row.last, style=style
            )
        return table


def prices_text(row: Row) -> str:
    """The prices, each with the way it went since watching began."""
    parts = []
    for outcome, price in list(row.prices.items())[:SHOWN]:
        change = price - row.first.get(outcome, price)
        colour = "green" if change > 0 else "red" if change < 0 else ""
        arrow = "▲" if change > 0 else "▼" if change < 0 else " "
        text = f"{price:6.1%}{arrow}"
        parts.append(f"[{colour}]{text}[/]" if colour else text)
    return " ".join(parts) + (" …" if len(row.prices) > SHOWN else "")
