"""Ten minutes of a thousand viewers and steady trades: is memory flat, is any event lost?

`python -m bench.soak [--minutes 10] [--viewers 1000] [--rate 5]`, by hand. Trades are real: service, database, doorbell.
"""

from __future__ import annotations

import argparse
import os
import sys
import time

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
os.environ.setdefault("LOG_LEVEL", "ERROR")
os.environ.update(STREAMS_PER_ADDRESS="10000", STREAMS_PER_PROCESS="10000")

from bench.fanout import Viewers
from bench.servers import own_database, serving, take_the_load


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--minutes", type=int, default=10)
    arguments.add_argument("--viewers", type=int, default=1000)
    arguments.add_argument("--rate", type=float, default=5, help="trades a second")
    options = arguments.parse_args()
    take_the_load()
    with own_database():
        soak(options.minutes, options.viewers, options.rate)


def soak(minutes: int, count: int, rate: float) -> None:
    from bench.trades import clock, scene
    from markets.domain.orders import Order
    from markets.services import trading

    markets, people = scene(1)
    market, outcome = markets[0]
    say = sys.stdout.write
    with serving("bellwether", "config.asgi:application") as served:
        viewers = Viewers(served.port, f"/api/v1/markets/{market}/stream", count)
        viewers.ask("reset")
        say(
            f"| minute | trades | least that a viewer heard | lost | memory MB | processor |\n|{'---|' * 6}\n"
        )
        made, begun, cpu = 0, time.monotonic(), served.cpu()
        for minute in range(1, minutes + 1):
            while time.monotonic() < begun + minute * 60:
                order = Order(outcome_id=outcome, side="buy", shares=20_000)
                key = f"soak-{time.time_ns()}"
                trading.place_trade(
                    market_id=market,
                    trader=people[made % 10],
                    order=order,
                    client_order_id=key,
                    now=clock(),
                )
                made += 1
                time.sleep(max(0.0, begun + made / rate - time.monotonic()))
            time.sleep(1)
            report = viewers.ask("report")
            lost = made * count - report["all"]
            used, cpu = served.cpu() - cpu, served.cpu()
            say(
                f"| {minute} | {made} | {report['least']} | {lost} | {served.memory() / 1e6:.0f} | {used / 60:.0%} |\n"
            )
            sys.stdout.flush()
        viewers.end()


if __name__ == "__main__":
    main()
