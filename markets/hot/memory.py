"""What one process keeps of finished public answers: which, how long, how much, and what makes them go."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterable
from typing import Any, Final

from prometheus_client.core import REGISTRY, CounterMetricFamily
from prometheus_client.registry import Collector

from markets.cache import moved_by
from markets.live import doorbell

LONGEST: Final = 1.0  # seconds that an answer is kept, should the doorbell be silent
MOST: Final = 64 * 1024 * 1024  # bytes of all answers together
LARGEST: Final = 2 * 1024 * 1024  # bytes of one
OVERHEAD: Final = 3 * 1024  # bytes that an answer takes beside its body: headers, key, objects

Headers = list[tuple[bytes, bytes]]
Key = tuple[str, bytes]  # path, query in alphabetical order


class Entry:
    """A finished answer. `begun` is when it began to be made (monotonic seconds)."""

    def __init__(self, about: int, begun: float, headers: Headers, body: bytes) -> None:
        self.about, self.until, self.body = about, begun + LONGEST, body
        self.size = len(body) + OVERHEAD
        self.headers = headers
        self.tag = next((value for name, value in headers if name == b"etag"), None)
        self.brief = [(name, value) for name, value in headers if name not in {b"content-type", b"content-length"}]  # for 304


class Ticket:
    """Rides in the scope of a request whose answer may be kept.

    `about` is the id of the market that the answer speaks of, `cache.EVERY` or `cache.SHELVES`; None while it is not public.
    """

    def __init__(self, heard: int) -> None:
        self.about: int | None = None
        self.heard = heard  # events heard when it began


class Memory:
    """The answers of one process. Threads that write tell it of events; all else happens in the event loop."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.clear()

    def clear(self) -> None:
        self.entries: dict[Key, Entry] = {}  # oldest first; all are kept equally long
        self.about: dict[int, set[Key]] = {}
        self.size = 0
        self.hits = self.misses = 0  # plain numbers: a Counter's lock would be a tenth of an answer
        self.heard = 0  # events so far
        self.last: dict[int, int] = {}  # by market: which event so far was its last; only while something is being made
        self.making: dict[Key, asyncio.Future[Entry | None]] = {}

    def hear(self, message: dict[str, Any]) -> None:
        """A message of the doorbell."""
        if "market_id" not in message:
            return
        with self.lock:
            self.heard += 1
            for about in moved_by(message):
                if self.making:
                    self.last[about] = self.heard
                for key in self.about.pop(about, ()):
                    self._forget(key)

    def keep(self, key: Key, entry: Entry, heard: int) -> bool:
        """Keep what was begun when so many events had been heard, unless it was overtaken since."""
        with self.lock:
            if self.last.get(entry.about, 0) > heard:
                return False
            self._forget(key)
            now = time.monotonic()
            while self.entries:
                oldest = next(iter(self.entries))
                if self.entries[oldest].until > now and self.size + entry.size <= MOST:
                    break
                self._forget(oldest)
            self.entries[key] = entry
            self.about.setdefault(entry.about, set()).add(key)
            self.size += entry.size
        return True

    def begin(self, key: Key) -> tuple[Ticket, asyncio.Future[Entry | None]]:
        """Somebody makes this answer; others may wait for it."""
        made: asyncio.Future[Entry | None] = asyncio.get_running_loop().create_future()
        with self.lock:
            self.making[key] = made
            return Ticket(self.heard), made

    def end(self, key: Key, made: asyncio.Future[Entry | None], entry: Entry | None) -> None:
        """It is made (or None: it may not be shared). May be called again."""
        if made.done():
            return
        made.set_result(entry)
        with self.lock:
            if self.making.get(key) is made:
                del self.making[key]
            if not self.making:
                self.last.clear()

    def _forget(self, key: Key) -> None:
        entry = self.entries.pop(key, None)
        if entry is not None:
            self.size -= entry.size
            keys = self.about.get(entry.about)
            if keys is not None:
                keys.discard(key)
                if not keys:
                    del self.about[entry.about]


class Figures(Collector):
    """For `/metrics`."""

    def collect(self) -> Iterable[CounterMetricFamily]:
        yield CounterMetricFamily("bellwether_hot_hits", "Answers from memory, in front of Django", value=memory.hits)
        yield CounterMetricFamily("bellwether_hot_misses", "Public answers that had to be made", value=memory.misses)


memory = Memory()
REGISTRY.register(Figures())
doorbell.listeners.append(memory.hear)
