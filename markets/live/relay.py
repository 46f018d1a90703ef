"""Hears the doorbell for one process, and checks the database for lost events."""

import asyncio
import contextlib
import signal
from collections.abc import Awaitable, Callable
from typing import Any, Final
from weakref import WeakKeyDictionary

import structlog
from channels.layers import channel_layers

from markets.live.doorbell import GROUP, LAYER, listeners
from markets.live.hub import Hub

logger = structlog.get_logger("bellwether.live")

CHECK_SECONDS: Final = 2.0  # the longest that a lost event goes unnoticed
RECHECK_SECONDS: Final = 30.0  # the longest that a private feed outlives its key
GOODBYE_SECONDS: Final = 3.0


class Relay:
    """The hub of an event loop. Daphne has no start-up hook, so the first viewer starts it."""

    def __init__(self) -> None:
        self.hub = Hub()
        self.ready = asyncio.Event()
        self.tasks = [
            asyncio.create_task(self._listen()),
            asyncio.create_task(self._every(1.0, self.hub.tick)),
            asyncio.create_task(self._every(CHECK_SECONDS, self.hub.check)),
            asyncio.create_task(self._every(RECHECK_SECONDS, self.hub.recheck)),
        ]
        with contextlib.suppress(ValueError):  # not the main thread
            self._before_stopping()

    async def _listen(self) -> None:
        while True:
            try:
                layer: Any = channel_layers[LAYER]
                channel = await layer.new_channel()
                await layer.group_add(GROUP, channel)
                self.ready.set()
                while True:
                    for message in (await layer.receive(channel))["messages"]:
                        for listener in listeners:
                            listener(message)
                        self.hub.hear(message)
            except Exception as error:  # noqa: BLE001  (the checks do the work)
                self.ready.set()
                logger.warning("relay_unavailable", error=repr(error))
                await asyncio.sleep(1)

    async def _every(self, seconds: float, work: Callable[[], Awaitable[None]]) -> None:
        while True:
            await asyncio.sleep(seconds)
            try:
                await work()
            except Exception as error:  # noqa: BLE001  (try again)
                logger.warning("check_failed", error=repr(error))

    def _before_stopping(self) -> None:
        """Say goodbye before the server's handlers run: no server tells open streams.

        Those that it gave to the loop (`add_signal_handler`) run for each byte in the wakeup
        file, whatever `signal.signal` says: nothing is written there until all have left. uvloop
        then notices a signal when it next has something to do, which is each second.
        """
        loop, wakeup = asyncio.get_running_loop(), signal.set_wakeup_fd(-1)
        handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}

        def stop(number: int) -> None:
            if not loop.is_closed():
                signal.set_wakeup_fd(wakeup)
            for each, handler in handlers.items():
                signal.signal(each, handler or signal.SIG_DFL)
            signal.raise_signal(number)

        async def part(number: int) -> None:
            await self.hub.say_goodbye(GOODBYE_SECONDS)
            if signal.getsignal(number) is handler:  # nobody asked again
                stop(number)

        def handler(number: int, _frame: object) -> None:
            if loop.is_closed() or self.hub.stopping:
                stop(number)
            else:
                loop.call_soon_threadsafe(lambda: self.tasks.append(loop.create_task(part(number))))

        for number in handlers:
            signal.signal(number, handler)


_relays: WeakKeyDictionary[asyncio.AbstractEventLoop, Relay] = WeakKeyDictionary()


async def hub() -> Hub:
    """Return the running loop's hub, once it listens. Raise TimeoutError."""
    loop = asyncio.get_running_loop()
    relay = _relays.get(loop)
    if relay is None:
        relay = _relays[loop] = Relay()
    async with asyncio.timeout(5):
        await relay.ready.wait()
    return relay.hub
