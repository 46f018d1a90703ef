"""Says to every web process, through the channel layer, that an event was committed.

Writers are threads of all kinds (requests, workers, commands); the channel layer is async. So each process has one thread
with an event loop that sends for all of them: ringing costs the writer a queue append, and a Redis that is away costs it
nothing. A ring may be lost: the relay finds out from the database.
"""

import asyncio
import atexit
import os
import threading
from collections.abc import Callable
from typing import Any, Final

import structlog
from channels.layers import channel_layers

logger = structlog.get_logger("bellwether.live")

LAYER: Final = "doorbell"
GROUP: Final = "events"
PAUSE: Final = (
    0.02  # seconds between two messages: a lone ring leaves at once, a burst leaves together
)
MOST_WAITING: Final = 10_000  # messages; beyond that a lost ring is cheaper than memory


# Who else in this process is told of every message: at once of its own, before whoever made the change goes on, and of those of
# other processes when the relay hears them (so of its own twice).
listeners: list[Callable[[dict[str, Any]], None]] = []


class Doorbell:
    """The sending thread of one process."""

    def __init__(self) -> None:
        self.pid = os.getpid()
        self.waiting: list[dict[str, Any]] = []
        self.sending = False
        self.quiet = False  # the last send failed, and the log has been told
        self.lock = threading.Lock()
        self.loop = asyncio.new_event_loop()
        threading.Thread(target=self.loop.run_forever, name="doorbell", daemon=True).start()

    def ring(self, message: dict[str, Any]) -> None:
        with self.lock:
            if len(self.waiting) >= MOST_WAITING:
                return
            self.waiting.append(message)
            if self.sending:
                return
            self.sending = True
        asyncio.run_coroutine_threadsafe(self._send_all(), self.loop)

    async def _send_all(self) -> None:
        """Send what waits, all that came together in one message, until nothing does."""
        while True:
            with self.lock:
                batch, self.waiting = self.waiting, []
                if not batch:
                    self.sending = False
                    return
            try:
                await channel_layers[LAYER].group_send(GROUP, {"type": "events", "messages": batch})
            except Exception as error:  # noqa: BLE001  (whatever the layer raises: a lost ring must not stop the bell)
                if not self.quiet:
                    logger.warning("doorbell_unavailable", error=repr(error))
                self.quiet = True
            else:
                if self.quiet:
                    logger.info("doorbell_available")
                self.quiet = False
            await asyncio.sleep(PAUSE)

    def drain(self) -> None:
        """Before the process ends, give what waits up to a second to leave."""
        deadline = threading.Event()
        for _ in range(100):
            if not self.sending:
                break
            deadline.wait(0.01)


_bell: Doorbell | None = None
_making = threading.Lock()


def ring(message: dict[str, Any]) -> None:
    """Announce an event (`present_event`). Never blocks and never raises."""
    global _bell  # noqa: PLW0603  (one bell, one process)
    for listener in listeners:
        listener(message)
    if _bell is None or _bell.pid != os.getpid():  # a forked worker needs a thread of its own
        with _making:
            if _bell is None or _bell.pid != os.getpid():
                _bell = Doorbell()
                atexit.register(_bell.drain)
    _bell.ring(message)
