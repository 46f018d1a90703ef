"""What one process keeps of finished public answers: which, how long, how much, and what makes them go."""

import asyncio
import threading
from collections.abc import Iterable
from time import monotonic
from typing import Any, Final

from prometheus_client.core import REGISTRY, CounterMetricFamily
from prometheus_client.registry import Collector

from markets.caching.shared import outdated_by
from markets.live import doorbell

LONGEST: Final = 1.0  # seconds that an answer is kept, should the doorbell be silent
MOST: Final = 64 * 1024 * 1024  # bytes of all answers together
OVERHEAD: Final = 3 * 1024  # bytes that an answer takes beside its body: headers, objects

Headers = list[tuple[bytes, bytes]]
Key = tuple[str, bytes]  # path, query in alphabetical order


class Entry:
    """A finished answer that speaks of market `about` (or `cache.EVERY` or `SHELVES`).

    `begun` is when it began to be made (monotonic seconds): it shows every event that was heard before.
    """

    __slots__ = ("about", "begun", "body", "brief", "headers", "size", "tag", "until")

    def __init__(self, about: int, begun: float, headers: Headers, body: bytes) -> None:
        self.about, self.begun, self.until, self.headers, self.body = (
            about,
            begun,
            begun + LONGEST,
            headers,
            body,
        )
        self.size = len(body) + OVERHEAD
        self.tag = next((value for name, value in headers if name == b"etag"), None)
        self.brief = [
            (name, value)
            for name, value in headers
            if name not in {b"content-type", b"content-length"}
        ]  # for 304


class Memory:
    """The answers of one process. Threads that write tell it of events; all else happens in the event loop."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.clear()

    def clear(self) -> None:
        self.entries: dict[Key, Entry] = {}  # oldest first
        self.size = 0  # bytes
        self.moved: dict[
            int, float
        ] = {}  # when an event last moved what an answer may be about; oldest first
        self.making: dict[Key, asyncio.Future[Entry | None]] = {}
        self.hits = self.misses = 0  # plain numbers: a Counter's lock would be a tenth of an answer

    def hear(self, message: dict[str, Any]) -> None:
        """A message of the doorbell: what was begun before now is out of date. Older than `LONGEST`, it is so anyway."""
        if "market_id" not in message:
            return
        with self.lock:
            now = monotonic()
            for about in outdated_by(message):
                self.moved.pop(about, None)
                self.moved[about] = now
            while self.moved[oldest := next(iter(self.moved))] < now - LONGEST:
                del self.moved[oldest]

    def get(self, key: Key) -> Entry | None:
        entry = self.entries.get(key)
        return entry if entry is not None and self.current(entry) else None

    def current(self, entry: Entry) -> bool:
        """Whether it may still be given to anybody."""
        return entry.until > monotonic() and entry.begun > self.moved.get(entry.about, 0.0)

    def begin(self, key: Key) -> asyncio.Future[Entry | None]:
        """Somebody makes this answer. What others may wait for is the entry, or None when it may not be shared."""
        made: asyncio.Future[Entry | None] = asyncio.get_running_loop().create_future()
        self.making[key] = made
        return made

    def end(self, key: Key, made: asyncio.Future[Entry | None], entry: Entry | None) -> None:
        """It is made; keep it unless it was overtaken meanwhile."""
        self._done(key, made)
        if not made.done():
            made.set_result(entry)
        if entry is not None:
            self.misses += 1
            if self.current(entry):
                self.keep(key, entry)

    def give_up(self, key: Key, made: asyncio.Future[Entry | None]) -> None:
        """Whoever was making it went away before it was known what it is. After `end` this does nothing."""
        self._done(key, made)
        made.cancel()

    def keep(self, key: Key, entry: Entry) -> None:
        self._forget(key)
        now = monotonic()
        while self.entries:
            oldest = next(iter(self.entries))
            if self.entries[oldest].until > now and self.size + _size(key, entry) <= MOST:
                break
            self._forget(oldest)
        self.entries[key] = entry
        self.size += _size(key, entry)

    def _done(self, key: Key, made: asyncio.Future[Entry | None]) -> None:
        if self.making.get(key) is made:
            del self.making[key]

    def _forget(self, key: Key) -> None:
        entry = self.entries.pop(key, None)
        if entry is not None:
            self.size -= _size(key, entry)


def _size(key: Key, entry: Entry) -> int:
    return len(key[0]) + len(key[1]) + entry.size


class Figures(Collector):
    """For `/metrics`."""

    def collect(self) -> Iterable[CounterMetricFamily]:
        yield CounterMetricFamily(
            "bellwether_hot_hits", "Answers from memory, in front of Django", value=memory.hits
        )
        yield CounterMetricFamily(
            "bellwether_hot_misses", "Public answers that had to be made", value=memory.misses
        )


memory = Memory()
REGISTRY.register(Figures())
doorbell.listeners.append(memory.hear)
