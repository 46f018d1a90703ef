"""Announces committed events to every web process, through the channel layer.

Writers are threads (requests, workers, commands), but the channel layer is async. So each process
has one thread with an event loop that sends for all writers: announcing costs a writer one queue
append, even while Redis is down. An announcement may be lost: the relay checks the database.
"""

import asyncio
import atexit
import os
import threading
import time
from collections.abc import Callable
from typing import Any, Final

import structlog
from channels.layers import channel_layers

logger = structlog.get_logger("bellwether.live")

LAYER: Final = "doorbell"
GROUP: Final = "events"
SECONDS_BETWEEN_MESSAGES: Final = 0.02  # a single event leaves at once, a burst leaves together
MOST_QUEUED_EVENTS: Final = 10_000  # beyond that, a lost event is cheaper than memory

# Called with every event of this process before its writer goes on, and with every event that the
# relay hears: with an event of this process twice.
listeners: list[Callable[[dict[str, Any]], None]] = []


class Doorbell:
    """The sending thread of one process."""

    def __init__(self) -> None:
        self.pid = os.getpid()
        self.queue: list[dict[str, Any]] = []
        self.sending = False
        self.failing = False  # the last send failed, and the log says so
        self.lock = threading.Lock()
        self.loop = asyncio.new_event_loop()
        threading.Thread(target=self.loop.run_forever, name="doorbell", daemon=True).start()

    def ring(self, message: dict[str, Any]) -> None:
        with self.lock:
            if len(self.queue) >= MOST_QUEUED_EVENTS:
                return
            self.queue.append(message)
            if self.sending:
                return
            self.sending = True
        asyncio.run_coroutine_threadsafe(self._send_all(), self.loop)

    async def _send_all(self) -> None:
        """Send the queue, all of it in one message, until it stays empty."""
        while True:
            with self.lock:
                batch, self.queue = self.queue, []
                if not batch:
                    self.sending = False
                    return
            try:
                await channel_layers[LAYER].group_send(GROUP, {"type": "events", "messages": batch})
            except Exception as error:  # noqa: BLE001  (no failure may stop the thread)
                if not self.failing:
                    logger.warning("doorbell_unavailable", error=repr(error))
                self.failing = True
            else:
                if self.failing:
                    logger.info("doorbell_available")
                self.failing = False
            await asyncio.sleep(SECONDS_BETWEEN_MESSAGES)

    def drain(self) -> None:
        """Wait up to a second for the queue to be sent, before the process ends."""
        for _ in range(100):
            if self.sending:
                time.sleep(0.01)


_doorbell: Doorbell | None = None
_starting = threading.Lock()


def ring(message: dict[str, Any]) -> None:
    """Announce an event (`present_event`). Never blocks and never raises."""
    global _doorbell  # noqa: PLW0603  (one per process)
    for listener in listeners:
        listener(message)
    if _doorbell is None or _doorbell.pid != os.getpid():  # a forked worker needs its own thread
        with _starting:
            if _doorbell is None or _doorbell.pid != os.getpid():
                _doorbell = Doorbell()
                atexit.register(_doorbell.drain)
    _doorbell.ring(message)
