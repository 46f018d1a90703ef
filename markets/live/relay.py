"""One subscription per process: hears the doorbell, and asks the database now and then what it did not hear."""

import asyncio
import contextlib
import os
import signal
from collections.abc import Awaitable, Callable
from typing import Any, Final
from weakref import WeakKeyDictionary

import structlog
from channels.layers import channel_layers
from django.utils import timezone

from markets.live.doorbell import GROUP, LAYER, listeners
from markets.live.hub import Hub

logger = structlog.get_logger("bellwether.live")

CHECK_EVERY: Final = 2.0  # seconds; the longest that a lost ring goes unnoticed
RECHECK_EVERY: Final = (
    30.0  # seconds; the longest that a revoked key goes on hearing what is its owner's
)
FAREWELL: Final = 3.0  # seconds that a server which stops gives to telling its viewers


class Relay:
    """The hub of an event loop and the tasks that feed it. Daphne has no start-up hook, so the first viewer starts them."""

    def __init__(self) -> None:
        self.hub = Hub()
        self.ready = asyncio.Event()

        async def tick() -> None:
            self.hub.tick()

        self.tasks = [
            asyncio.create_task(self._listen()),
            asyncio.create_task(self._every(1.0, tick)),
            asyncio.create_task(self._every(CHECK_EVERY, lambda: self.hub.check(timezone.now()))),
            asyncio.create_task(self._every(RECHECK_EVERY, self.hub.recheck)),
        ]
        with contextlib.suppress(
            ValueError
        ):  # an event loop outside the main thread has no say in signals
            for number in (signal.SIGTERM, signal.SIGINT):
                self._before_stopping(number)

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
            except Exception as error:  # noqa: BLE001  (Redis is away: the checks carry the viewers until it is back)
                self.ready.set()
                logger.warning("relay_unavailable", error=repr(error))
                await asyncio.sleep(1)

    async def _every(self, seconds: float, work: Callable[[], Awaitable[None]]) -> None:
        while True:
            await asyncio.sleep(seconds)
            try:
                await work()
            except Exception as error:  # noqa: BLE001  (the database is away: the next round tries again)
                logger.warning("check_failed", error=repr(error))

    def _before_stopping(self, number: signal.Signals) -> None:
        """Say goodbye before the server's own handler of the signal runs. (No server tells open streams that it stops.)"""
        loop, theirs = asyncio.get_running_loop(), signal.getsignal(number)

        def go_on() -> None:
            if callable(theirs):
                theirs(number, None)
            else:
                signal.signal(number, signal.SIG_DFL)
                os.kill(os.getpid(), number)

        async def part() -> None:
            await self.hub.farewell(FAREWELL)
            go_on()

        def handler(_number: int, _frame: object) -> None:
            if loop.is_closed() or self.hub.stopping:
                go_on()
            else:
                loop.call_soon_threadsafe(lambda: self.tasks.append(loop.create_task(part())))

        signal.signal(number, handler)


_relays: WeakKeyDictionary[asyncio.AbstractEventLoop, Relay] = WeakKeyDictionary()


async def hub() -> Hub:
    """The hub of the running event loop, listening."""
    loop = asyncio.get_running_loop()
    relay = _relays.get(loop)
    if relay is None:
        relay = _relays[loop] = Relay()
    async with asyncio.timeout(5):
        await relay.ready.wait()
    return relay.hub
