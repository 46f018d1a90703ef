"""A bounded cache of finished public answers, which events invalidate."""

import asyncio
import gzip
import threading
from collections.abc import Iterable
from time import monotonic
from typing import Any, Final

from prometheus_client.core import REGISTRY, CounterMetricFamily
from prometheus_client.registry import Collector

from markets.caching.shared import outdated_by
from markets.live import doorbell
from markets.web.compression import LARGE_BYTES

CACHED_SECONDS: Final = 1.0  # the longest without news of an event
MOST_CACHED_BYTES: Final = 64 * 1024 * 1024  # of all together
OVERHEAD_BYTES: Final = 3 * 1024  # of an answer's headers and objects

Headers = list[tuple[bytes, bytes]]
Key = tuple[str, bytes]  # path, query in alphabetical order


class Entry:
    """An answer about a market id, `shared.ALL_MARKETS` or `shared.CATALOGUE`.

    It shows every event heard before its request began, at `begun` (monotonic).
    """

    __slots__ = (
        "about",
        "begun",
        "body",
        "expires_at",
        "headers",
        "headers_of_304",
        "size",
        "tag",
        "zippable",
        "zipped",
    )

    def __init__(self, about: int, begun: float, headers: Headers, body: bytes) -> None:
        self.about, self.begun, self.headers, self.body = about, begun, headers, body
        self.expires_at = begun + CACHED_SECONDS
        self.size = len(body) * 3 // 2 + OVERHEAD_BYTES  # with its compressed variant
        self.tag = dict(headers).get(b"etag", b"").removeprefix(b"W/") or None
        # `web/compression.py` says by `Vary` what may be compressed
        varies = dict(headers).get(b"vary", b"")
        self.zippable = b"Accept-Encoding" in varies
        self.zipped: Entry | None = None
        content = {b"content-type", b"content-length", b"content-encoding"}
        self.headers_of_304 = [(name, value) for name, value in headers if name not in content]

    def zip(self) -> "Entry":
        """Set and return `zipped`, for who takes gzip.

        It says nothing of anybody in particular, so it needs no padding against guesses.
        """
        level = 6 if len(self.body) < LARGE_BYTES else 1  # the event loop waits for it
        body = gzip.compress(self.body, level, mtime=0)
        headers = [item for item in self.headers if item[0] not in {b"content-length", b"etag"}]
        headers += [(b"content-encoding", b"gzip"), (b"content-length", str(len(body)).encode())]
        if self.tag is not None:
            headers.append((b"etag", b"W/" + self.tag))
        self.zipped = Entry(self.about, self.begun, headers, body)
        return self.zipped


class Memory(Collector):
    """Any thread may call `hear`; the rest is for the event loop."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.clear()

    def clear(self) -> None:
        self.entries: dict[Key, Entry] = {}  # oldest first
        self.size = 0  # bytes
        self.outdated_at: dict[int, float] = {}  # newest event by `about`, oldest first
        self.making: dict[Key, asyncio.Future[Entry | None]] = {}
        self.hits = self.misses = 0  # a Counter's lock would cost a tenth of an answer

    def hear(self, message: dict[str, Any]) -> None:
        """Invalidate the answers about an event's market that began before now.

        Older answers than CACHED_SECONDS have expired, so older events are forgotten.
        """
        if "market_id" not in message:
            return
        with self.lock:
            now = monotonic()
            for about in outdated_by(message):
                self.outdated_at.pop(about, None)
                self.outdated_at[about] = now
            while self.outdated_at[oldest := next(iter(self.outdated_at))] < now - CACHED_SECONDS:
                del self.outdated_at[oldest]

    def get(self, key: Key) -> Entry | None:
        entry = self.entries.get(key)
        return entry if entry is not None and self.is_current(entry) else None

    def is_current(self, entry: Entry) -> bool:
        return entry.expires_at > monotonic() and entry.begun > self.outdated_at.get(entry.about, 0)

    def begin(self, key: Key) -> asyncio.Future[Entry | None]:
        """Return a future for others to wait for; None if the answer is not to be shared."""
        made: asyncio.Future[Entry | None] = asyncio.get_running_loop().create_future()
        self.making[key] = made
        return made

    def end(self, key: Key, made: asyncio.Future[Entry | None], entry: Entry | None) -> None:
        """Give the answer to those who wait, and cache it unless outdated."""
        if not made.done():
            made.set_result(entry)
        self.give_up(key, made)
        if entry is not None:
            self.misses += 1
            if self.is_current(entry):
                self.keep(key, entry)

    def give_up(self, key: Key, made: asyncio.Future[Entry | None]) -> None:
        """Cancel the future, unless `end` has set its result."""
        if self.making.get(key) is made:
            del self.making[key]
        made.cancel()

    def keep(self, key: Key, entry: Entry) -> None:
        self._forget(key)
        now = monotonic()
        while self.entries:
            oldest = next(iter(self.entries))
            fits = self.size + _size(key, entry) <= MOST_CACHED_BYTES
            if fits and self.entries[oldest].expires_at > now:
                break
            self._forget(oldest)
        self.entries[key] = entry
        self.size += _size(key, entry)

    def _forget(self, key: Key) -> None:
        if entry := self.entries.pop(key, None):
            self.size -= _size(key, entry)

    def collect(self) -> Iterable[CounterMetricFamily]:
        """For `/metrics`."""
        hits = "Answers from memory, in front of Django"
        misses = "Public answers that had to be made"
        yield CounterMetricFamily("bellwether_hot_hits", hits, value=self.hits)
        yield CounterMetricFamily("bellwether_hot_misses", misses, value=self.misses)


def _size(key: Key, entry: Entry) -> int:
    return len(key[0]) + len(key[1]) + entry.size


memory = Memory()
REGISTRY.register(memory)
doorbell.listeners.append(memory.hear)
