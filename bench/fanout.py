"""One event to many viewers, beside channel-layer groups and Nchan (Debian's `libnginx-mod-nchan`), in one run.

`python -m bench.fanout` takes some minutes. One server process is pinned to one core; viewers and publisher are on the other.
A burst measures messages a second; events 100 ms apart measure how late the slowest viewers hear of one.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
os.environ.setdefault("LOG_LEVEL", "ERROR")
os.environ.update(STREAMS_PER_ADDRESS="10000", STREAMS_PER_PROCESS="10000")

from bench import report
from bench.servers import Served, own_database, serving, started, take_the_load
from config.dev import embedded

BURST, PACED, GAP = 200, 50, 0.1  # events, events, seconds
SLOW_BURST = 30  # events, for peers that would take minutes
GROUPS = ("groups, RedisChannelLayer, daphne", "groups, RedisPubSubChannelLayer, uvicorn")
NCHAN = "/usr/lib/nginx/modules/ngx_nchan_module.so"

Publish = Callable[[list[dict[str, Any]]], None]


class Viewers:
    """`count` viewers of a stream in a process of their own."""

    def __init__(self, port: int, path: str, count: int) -> None:
        command = [sys.executable, "-m", "bench.viewers", str(port), path, str(count)]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout
        if self.process.stdout.readline() != "open\n":
            raise SystemExit(f"The viewers of {path} could not connect.")

    def ask(self, what: str) -> dict[str, Any]:
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(what + "\n")
        self.process.stdin.flush()
        return dict(json.loads(self.process.stdout.readline()))

    def end(self) -> None:
        self.process.kill()
        self.process.wait()


def measure(
    served: Served, path: str, publish: Publish, count: int, burst: int = BURST
) -> dict[str, float]:
    """Messages a second of a burst, p50 and p99 in ms of paced events, KB a viewer, µs of processor a delivered message."""
    before = served.memory()
    viewers = Viewers(served.port, path, count)
    try:
        time.sleep(1)
        memory = (served.memory() - before) / count / 1024
        publish([{"sent": time.monotonic_ns()} for _ in range(5)])
        time.sleep(1)
        rates, cpus = [], []
        for _ in range(3):
            viewers.ask("reset")
            cpu, begun = served.cpu(), time.monotonic_ns()
            publish([{"sent": time.monotonic_ns()} for _ in range(burst)])
            report = wait_for(viewers, burst)
            rates.append(report["all"] / ((report["last"] - begun) / 1e9))
            time.sleep(0.5)
            cpus.append((served.cpu() - cpu) / max(1, report["all"]) * 1e6)
        viewers.ask("reset")
        for _ in range(PACED):
            publish([{"sent": time.monotonic_ns()}])
            time.sleep(GAP)
        report = wait_for(viewers, PACED)
        lost = count * PACED - report["all"]
        facts = {
            "rate": statistics.median(rates),
            "cpu": statistics.median(cpus),
            "memory": memory,
            "lost": lost,
        }
        return {**facts, "p50": report["p50"], "p99": report["p99"]}
    finally:
        viewers.end()


def wait_for(viewers: Viewers, messages: int) -> dict[str, Any]:
    """The report once every viewer has so many messages, or after a minute."""
    deadline = time.monotonic() + 60
    while (report := viewers.ask("report"))["least"] < messages and time.monotonic() < deadline:
        time.sleep(0.2)
    return report


def own(server: str, count: int) -> dict[str, float]:
    from markets.live import doorbell

    market = a_market()
    seq = [market.seq]

    def publish(messages: list[dict[str, Any]]) -> None:
        for message in messages:
            seq[0] += 1
            facts = {
                "type": "trade",
                "market_id": market.pk,
                "seq": seq[0],
                "at": "2026-01-01T00:00:00Z",
                "prices": {},
            }
            doorbell.ring({**facts, **message})

    with serving(server, "config.asgi:application") as served:
        return measure(served, f"/api/v1/markets/{market.pk}/stream", publish, count)


def a_market() -> Any:
    from django.utils import timezone

    from markets.services import catalogue

    return catalogue.create_market(
        actor=None, now=timezone.now(), name=f"Bench {time.time_ns()}?", status="active"
    )


def groups(server: str, layer: str, count: int) -> dict[str, float]:
    from importlib import import_module

    module, name = {
        "core": ("core", "RedisChannelLayer"),
        "pubsub": ("pubsub", "RedisPubSubChannelLayer"),
    }[layer]
    make = getattr(import_module(f"channels_redis.{module}"), name)
    more = {"capacity": 100_000} if layer == "core" else {}

    def publish(messages: list[dict[str, Any]]) -> None:
        async def send() -> None:
            sender = make(hosts=[os.environ["REDIS_URL"]], **more)
            for message in messages:
                await sender.group_send("events", {"type": "event", "text": json.dumps(message)})
            await getattr(sender, "close_pools", sender.flush)() if layer == "core" else None

        asyncio.run(send())

    with serving(server, "bench.peers.groups:application", PEER_LAYER=layer) as served:
        return measure(served, "/", publish, count, burst=SLOW_BURST)


@contextmanager
def nchan() -> Iterator[Served]:
    port = embedded.free_port()
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "nginx.conf").write_text(
            f"load_module {NCHAN};\nworker_processes 1;\ndaemon off;\npid {folder}/pid;\nerror_log {folder}/error.log;\n"
            "events { worker_connections 20000; }\n"
            f"http {{ access_log off; server {{ listen 127.0.0.1:{port};\n"
            "location = /pub { nchan_publisher; nchan_channel_id c; nchan_message_buffer_length 2000; }\n"
            "location = /sub { nchan_subscriber eventsource; nchan_channel_id c; nchan_subscriber_first_message newest; } } }\n"
        )
        with started(["nginx", "-p", folder, "-c", f"{folder}/nginx.conf"], port) as process:
            yield Served(process, port)


def nchan_peer(count: int) -> dict[str, float]:
    with nchan() as served:

        def publish(messages: list[dict[str, Any]]) -> None:
            for message in messages:
                body = json.dumps(message).encode()
                urllib.request.urlopen(f"http://127.0.0.1:{served.port}/pub", data=body).close()

        publish([{"sent": 0}])  # a viewer's answer begins with a first message
        return measure(served, "/sub", publish, count)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--viewers", type=int, default=1000)
    arguments.add_argument("--only", default="", help="a part of the names to run")
    arguments.add_argument("--growth", action="store_true", help="also 100 to 5,000 viewers")
    options = arguments.parse_args()
    take_the_load()
    with own_database():
        lines = table(options.viewers, options.only)
        if options.growth:
            lines += growth()
        if options.only:
            sys.stdout.write("\n".join(lines) + "\n")
        else:
            report.tell("fanout", lines)


def table(count: int, only: str) -> list[str]:
    """Own figures beside each peer's."""
    results: dict[str, dict[str, float]] = {}
    sides: dict[str, Callable[[], dict[str, float]]] = {
        GROUPS[0]: lambda: groups("daphne", "core", count),
        GROUPS[1]: lambda: groups("uvicorn", "pubsub", count),
        "Nchan (nginx)": lambda: nchan_peer(count),
        "Bellwether, daphne": lambda: own("bellwether", count),
        "Bellwether, uvicorn": lambda: own("uvicorn", count),
        "Bellwether, granian": lambda: own("granian", count),
    }
    lines = [
        f"| {count:,} viewers | messages/s | p50 ms | p99 ms | KB a viewer | µs a message | lost |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, side in sides.items():
        if only in name and ("Nchan" not in name or Path(NCHAN).exists()):
            found = side()
            lines.append(row(name, found))
            sys.stderr.write(lines[-1] + "\n")
            results[name] = found
    return lines + ratios(results)


BARS = [  # own, peer, fact, what the ratio must reach (a rate) or keep below (a time)
    *(("rate", own, peer, 8.0) for own in ("daphne", "uvicorn", "granian") for peer in GROUPS),
    *(("p99", own, "Nchan (nginx)", 4.0) for own in ("daphne", "uvicorn", "granian")),
]


def ratios(results: dict[str, dict[str, float]]) -> list[str]:
    lines = ["", "| own | peer | | ratio | bar |", "|---|---|---|---|---|"]
    for fact, own, peer, bar in BARS:
        mine, theirs = results.get(f"Bellwether, {own}"), results.get(peer)
        if mine and theirs:
            what, sign = ("messages/s", "≥") if fact == "rate" else ("p99", "≤")
            lines.append(
                f"| {own} | {peer} | {what} | **{mine[fact] / theirs[fact]:.1f}** | {sign} {bar:g} |"
            )
    return lines


def row(name: str, f: dict[str, float]) -> str:
    return f"| {name} | {f['rate']:,.0f} | {f['p50']:.1f} | {f['p99']:.1f} | {f['memory']:.0f} | {f['cpu']:.1f} | {f['lost']:.0f} |"


def growth() -> list[str]:
    """How it grows with the number of viewers."""
    head = [
        "",
        "| viewers | messages/s | p50 ms | p99 ms | KB a viewer | µs a message | lost |",
        "|---|---|---|---|---|---|---|",
    ]
    return head + [
        row(f"{server}, {n:,}", own(server, n))
        for server in ("bellwether", "granian")
        for n in (100, 1000, 5000)
    ]


if __name__ == "__main__":
    main()
