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

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
os.environ.setdefault("LOG_LEVEL", "ERROR")
os.environ.update(API_RATE_LIMIT="100000000")

from bench import report
from bench.servers import LOAD_CORE, Served, own_database, serving

ROUNDS, SECONDS, CONNECTIONS = 3, 2, 16

OWN = "config.asgi:application"
SIDES = {  # name: (server, application, environment)
    "bare, daphne": ("daphne", "bench.peers.bare:application", {}),
    "hot, daphne": ("bellwether", OWN, {}),
    "hot, plain daphne": ("daphne", OWN, {}),
    "bare, granian": ("granian", "bench.peers.bare:application", {}),
    "hot, granian": ("granian", OWN, {}),
    "seed, uvicorn": ("uvicorn", "bench.peers.seed:application", {}),
    "seed with its log, uvicorn": ("uvicorn", "bench.peers.seed:application", {"PEER_LOG": "1"}),
    "stock Django, daphne": ("daphne", "bench.peers.stock:application", {}),
    "with a key, daphne": ("bellwether", OWN, {}),
    "not hot, daphne": ("bellwether", "bench.peers.cold:application", {}),
    "stock Django, granian": ("granian", "bench.peers.stock:application", {}),
    "with a key, granian": ("granian", OWN, {}),
    "not hot, granian": ("granian", "bench.peers.cold:application", {}),
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
]


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


def fetch(url: str) -> tuple[list[tuple[str, str]], bytes]:
    """Headers (less those that the server itself adds) and body."""
    with urllib.request.urlopen(url) as answer:
        headers = [
            (name.lower(), value)
            for name, value in answer.getheaders()
            if name.lower() not in {"server", "date", "connection"}
        ]
        return headers, bytes(answer.read())


def scene() -> tuple[list[int], str]:
    """Markets such as people make, and a key that reads."""
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
    return [market.pk for market in made], keys.issue_key(
        user=user, now=now, name="bench", scopes=["read"]
    )[1]


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--only", default="", help="a part of the names to run")
    arguments.add_argument("--rounds", type=int, default=ROUNDS)
    options = arguments.parse_args()
    with own_database(), tempfile.TemporaryDirectory() as folder:
        os.sched_setaffinity(0, {LOAD_CORE})
        ids, key = scene()
        with serving("bellwether", OWN) as served:
            headers, body = fetch(f"http://127.0.0.1:{served.port}/api/v1/markets/{ids[0]}")
        os.environ["PEER_HEADERS"] = json.dumps(headers)
        file = Path(folder, "body")
        file.write_bytes(body)
        os.environ["PEER_BODY"] = str(file)
        spread = Path(folder, "spread.lua")  # each request another market, so that none is hot
        spread.write_text(
            f"local ids, n = {{{','.join(map(str, ids))}}}, 0\n"
            "request = function() n = n % #ids + 1; return wrk.format('GET', '/api/v1/markets/' .. ids[n]) end\n"
        )
        results = measure(options.only, options.rounds, ids[0], key, str(spread))
        lines = table(results, len(body))
        if options.only:
            sys.stdout.write("\n".join(lines) + "\n")
        else:
            report.tell("reads", lines)


def measure(
    only: str, rounds: int, market: int, key: str, spread: str
) -> dict[str, dict[str, float]]:
    """Medians of the rounds, the sides taking turns."""
    rounds_of: dict[str, list[dict[str, float]]] = {}
    for _ in range(rounds):
        for name, (server, app, environment) in SIDES.items():
            if not re.search(only, name):
                continue
            with serving(server, app, **environment) as served:
                rounds_of.setdefault(name, []).append(one(name, served, market, key, spread))
        sys.stderr.write(
            json.dumps({name: round(found[-1]["rate"]) for name, found in rounds_of.items()}) + "\n"
        )
    return {
        name: {fact: statistics.median(round_[fact] for round_ in found) for fact in found[0]}
        for name, found in rounds_of.items()
    }


def one(name: str, served: Served, market: int, key: str, spread: str) -> dict[str, float]:
    script = spread if "not hot" in name else ""
    url = f"http://127.0.0.1:{served.port}/api/v1/markets/{market}"
    headers = [f"Authorization: Bearer {key}"] if "key" in name else []
    wrk(url, *headers, seconds=1, script=script)
    full = wrk(url, *headers, script=script)
    half = wrk(
        url, *headers, connections=1, script=script
    )  # server and client take turns: each is idle half of the time
    return {"rate": full["rate"], "p50": half["p50"], "p99": half["p99"]}


def table(results: dict[str, dict[str, float]], size: int) -> list[str]:
    lines = [
        f"| one market, {size} bytes, one core | requests/s | p50 ms, half load | p99 ms, half load | p99 / p50 |",
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
