"""Announces committed events to every web process, through the channel layer.

Writers are threads, the layer is async: so one thread with an event loop sends for all. Announcing
costs a queue append, even while Redis is down. What is lost, the relay's check finds.
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
SECONDS_BETWEEN_MESSAGES: Final = 0.02  # a burst leaves together
MOST_QUEUED_EVENTS: Final = 10_000  # the rest is lost: cheaper than memory

# Called with each event of this process before its writer goes on, and again as the relay hears it.
listeners: list[Callable[[dict[str, Any]], None]] = []


class Doorbell:
    """The sending thread."""

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
        while True:
            with self.lock:
                batch, self.queue = self.queue, []
                if not batch:
                    self.sending = False
                    return
            try:
                await channel_layers[LAYER].group_send(GROUP, {"type": "events", "messages": batch})
            except Exception as error:  # noqa: BLE001  (the thread must go on)
                if not self.failing:
                    logger.warning("doorbell_unavailable", error=repr(error))
                self.failing = True
            else:
                if self.failing:
                    logger.info("doorbell_available")
                self.failing = False
            await asyncio.sleep(SECONDS_BETWEEN_MESSAGES)

    def drain(self) -> None:
        """Wait up to a second for the queue to be sent."""
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
    if _doorbell is None or _doorbell.pid != os.getpid():  # forks need their own
        with _starting:
            if _doorbell is None or _doorbell.pid != os.getpid():
                _doorbell = Doorbell()
                atexit.register(_doorbell.drain)
    _doorbell.ring(message)
