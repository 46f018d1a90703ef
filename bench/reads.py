"""Reads beside peers in one run: the bare ASGI application, stock Django, and the seed's FastAPI version. Needs Debian's `wrk`.

`python -m bench.reads` takes some minutes. One server process is pinned to one core, wrk to the other; sides take turns.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import NamedTuple

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
os.environ.setdefault("LOG_LEVEL", "ERROR")
os.environ.update(API_RATE_LIMIT="100000000")

from bench import report
from bench.servers import LOAD_CORE, Served, own_database, serving

ROUNDS, SECONDS, CONNECTIONS = 3, 2, 16

OWN = "config.asgi:application"
BARE = "bench.peers.bare:application"
SIDES = {  # name: (server, application, environment)
    "bare, daphne": ("daphne", BARE, {}),
    "hot, daphne": ("bellwether", OWN, {}),
    "hot, plain daphne": ("daphne", OWN, {}),
    "bare, granian": ("granian", BARE, {}),
    "hot, granian": ("granian", OWN, {}),
    "seed, uvicorn": ("uvicorn", "bench.peers.seed:application", {}),
    "seed with its log, uvicorn": ("uvicorn", "bench.peers.seed:application", {"PEER_LOG": "1"}),
    "stock Django, daphne": ("daphne", "bench.peers.stock:application", {}),
    "with a key, daphne": ("bellwether", OWN, {}),
    "not hot, daphne": ("bellwether", "bench.peers.cold:application", {}),
    "stock Django, granian": ("granian", "bench.peers.stock:application", {}),
    "with a key, granian": ("granian", OWN, {}),
    "not hot, granian": ("granian", "bench.peers.cold:application", {}),
    "bare, page, daphne": ("daphne", BARE, {}),
    "hot, page, daphne": ("bellwether", OWN, {}),
    "bare, page, gzip, daphne": ("daphne", BARE, {}),
    "hot, page, gzip, daphne": ("bellwether", OWN, {}),
    "bare, page, granian": ("granian", BARE, {}),
    "hot, page, granian": ("granian", OWN, {}),
    "bare, page, gzip, granian": ("granian", BARE, {}),
    "hot, page, gzip, granian": ("granian", OWN, {}),
}
BARS = [  # own, peer, what the ratio must reach
    ("hot, daphne", "bare, daphne", 0.9),
    ("hot, granian", "bare, granian", 0.75),
    ("hot, daphne", "seed, uvicorn", 1.3),
    ("hot, granian", "seed, uvicorn", 7.0),
    ("bare, granian", "seed, uvicorn", 0.0),  # what granian itself allows here
    ("hot, granian", "seed with its log, uvicorn", 7.0),
    ("with a key, daphne", "stock Django, daphne", 2.5),
    ("not hot, daphne", "stock Django, daphne", 2.5),
    ("with a key, granian", "stock Django, granian", 2.5),
    ("not hot, granian", "stock Django, granian", 2.5),
    *(
        (f"hot, page{how}, {server}", f"bare, page{how}, {server}", 0.9)
        for server in ("daphne", "granian")
        for how in ("", ", gzip")
    ),
]
GZIP = "Accept-Encoding: gzip, deflate, br"  # as a browser asks


def wrk(
    url: str,
    *headers: str,
    seconds: float = SECONDS,
    connections: int = CONNECTIONS,
    script: str = "",
) -> dict[str, float]:
    """Requests a second, and p50 and p99 in ms."""
    command = [
        "taskset",
        "-c",
        str(LOAD_CORE),
        "wrk",
        "-t1",
        f"-c{connections}",
        f"-d{seconds:g}s",
        "--latency",
    ]
    for header in headers:
        command += ["-H", header]
    if script:
        command += ["-s", script]
    text = subprocess.run([*command, url], capture_output=True, text=True, check=True).stdout
    if "Non-2xx" in text:
        raise SystemExit(f"{url} answered with errors:\n{text}")
    found = {
        name: _ms(value) for name, value in re.findall(r"^\s+(50|99)%\s+(\S+)", text, re.MULTILINE)
    }
    rate = re.search(r"Requests/sec:\s+([\d.]+)", text)
    assert rate
    return {"rate": float(rate[1]), "p50": found["50"], "p99": found["99"]}


def _ms(text: str) -> float:
    number, unit = re.fullmatch(r"([\d.]+)(us|ms|s)", text).groups()  # type: ignore[union-attr]
    return float(number) * {"us": 0.001, "ms": 1, "s": 1000}[unit]


class Target(NamedTuple):
    """What the sides send: by an address below the server's, with these headers of the request."""

    path: str
    asked: list[str]
    environment: dict[str, str]  # of the bare peer: what it sends
    size: int


def target(served: Served, folder: str, kind: str, path: str, *asked: str) -> Target:
    headers, body = fetch(f"http://127.0.0.1:{served.port}{path}", *asked)
    file = Path(folder, kind)
    file.write_bytes(body)
    return Target(
        path, list(asked), {"PEER_HEADERS": json.dumps(headers), "PEER_BODY": str(file)}, len(body)
    )


def fetch(url: str, *asked: str) -> tuple[list[tuple[str, str]], bytes]:
    """Headers (less those that the server itself adds) and body."""
    request = urllib.request.Request(url, headers=dict(one.split(": ") for one in asked))
    with urllib.request.urlopen(request) as answer:
        headers = [
            (name.lower(), value)
            for name, value in answer.getheaders()
            if name.lower() not in {"server", "date", "connection"}
        ]
        return headers, bytes(answer.read())


def scene() -> tuple[list[int], str, str]:
    """Make 200 markets and a key. Return the markets' ids, the key, and the path of one page."""
    from django.contrib.auth import get_user_model
    from django.utils import timezone

    from markets.services import catalogue, keys

    now = timezone.now()
    made = [
        catalogue.create_market(
            actor=None, now=now, name=f"Will bench {n} end well?", status="active"
        )
        for n in range(200)
    ]
    user = get_user_model().objects.create(username=f"bench-{time.time_ns()}")
    _, key = keys.issue_key(user=user, now=now, name="bench", scopes=["read"])
    return [market.pk for market in made], key, made[0].get_absolute_url()


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--only", default="", help="a part of the names to run")
    arguments.add_argument("--rounds", type=int, default=ROUNDS)
    options = arguments.parse_args()
    with own_database(), tempfile.TemporaryDirectory() as folder:
        os.sched_setaffinity(0, {LOAD_CORE})
        ids, key, page = scene()
        with serving("bellwether", OWN) as served:
            targets = {
                "": target(served, folder, "json", f"/api/v1/markets/{ids[0]}"),
                "page": target(served, folder, "page", page),
                "gzip": target(served, folder, "gzip", page, GZIP),
            }
        os.environ.update(targets[""].environment)
        spread = Path(folder, "spread.lua")  # each request another market, so that none is hot
        spread.write_text(
            f"local ids, n = {{{','.join(map(str, ids))}}}, 0\n"
            "request = function() n = n % #ids + 1; return wrk.format('GET', '/api/v1/markets/' .. ids[n]) end\n"
        )
        results = measure(options.only, options.rounds, targets, key, str(spread))
        lines = table(results, targets)
        if options.only:
            sys.stdout.write("\n".join(lines) + "\n")
        else:
            report.tell("reads", lines)


def measure(
    only: str, rounds: int, targets: dict[str, Target], key: str, spread: str
) -> dict[str, dict[str, float]]:
    """Medians of the rounds, the sides taking turns."""
    rounds_of: dict[str, list[dict[str, float]]] = {}
    for _ in range(rounds):
        for name, (server, app, environment) in SIDES.items():
            if not re.search(only, name):
                continue
            wanted = targets["gzip" if "gzip" in name else "page" if "page" in name else ""]
            with serving(server, app, **wanted.environment, **environment) as served:
                rounds_of.setdefault(name, []).append(one(name, served, wanted, key, spread))
        sys.stderr.write(
            json.dumps({name: round(found[-1]["rate"]) for name, found in rounds_of.items()}) + "\n"
        )
    return {
        name: {fact: statistics.median(round_[fact] for round_ in found) for fact in found[0]}
        for name, found in rounds_of.items()
    }


def one(name: str, served: Served, wanted: Target, key: str, spread: str) -> dict[str, float]:
    script = spread if "not hot" in name else ""
    url = f"http://127.0.0.1:{served.port}{wanted.path}"
    headers = [f"Authorization: Bearer {key}"] if "key" in name else wanted.asked
    wrk(url, *headers, seconds=1, script=script)
    full = wrk(url, *headers, script=script)
    half = wrk(
        url, *headers, connections=1, script=script
    )  # server and client take turns: each is idle half of the time
    return {"rate": full["rate"], "p50": half["p50"], "p99": half["p99"]}


def table(results: dict[str, dict[str, float]], targets: dict[str, Target]) -> list[str]:
    sizes = " / ".join(f"{wanted.size:,}" for wanted in targets.values())
    lines = [
        f"| one market: {sizes} bytes as JSON / page / page with gzip, one core | requests/s | p50 ms, half load | p99 ms, half load | p99 / p50 |",
        "|---|---|---|---|---|",
    ]
    for name, found in results.items():
        spread = found["p99"] / found["p50"]
        lines.append(
            f"| {name} | {found['rate']:,.0f} | {found['p50']:.2f} | {found['p99']:.2f} | {spread:.1f} |"
        )
    lines += ["", "| own | peer | ratio | must reach |", "|---|---|---|---|"]
    for own, peer, bar in BARS:
        if own in results and peer in results:
            lines.append(
                f"| {own} | {peer} | **{results[own]['rate'] / results[peer]['rate']:.2f}** | {bar or ''} |"
            )
    return lines


if __name__ == "__main__":
    main()
