"""One subscription per process: hears the doorbell, and asks the database now and then what it did not hear."""

from __future__ import annotations

import asyncio
from typing import Any, Final
from weakref import WeakKeyDictionary

import structlog
from channels.layers import channel_layers
from django.utils import timezone

from markets.live.doorbell import GROUP, LAYER
from markets.live.frames import event_frame
from markets.live.hub import Hub

logger = structlog.get_logger("bellwether.live")

CHECK_EVERY: Final = 2.0  # seconds; the longest that a lost ring goes unnoticed


class Relay:
    """The hub of an event loop and the tasks that feed it. Daphne has no start-up hook, so the first viewer starts them."""

    def __init__(self) -> None:
        self.hub = Hub()
        self.ready = asyncio.Event()
        self.tasks = [asyncio.create_task(self._listen()), asyncio.create_task(self._check())]

    async def _listen(self) -> None:
        while True:
            try:
                layer: Any = channel_layers[LAYER]
                channel = await layer.new_channel()
                await layer.group_add(GROUP, channel)
                self.ready.set()
                while True:
                    for message in (await layer.receive(channel))["messages"]:
                        self.hub.hear(event_frame(message))
            except Exception as error:  # noqa: BLE001  (Redis is away: the checks carry the viewers until it is back)
                self.ready.set()
                logger.warning("relay_unavailable", error=repr(error))
                await asyncio.sleep(1)

    async def _check(self) -> None:
        while True:
            await asyncio.sleep(CHECK_EVERY)
            try:
                await self.hub.check(timezone.now())
            except Exception as error:  # noqa: BLE001  (the database is away: the next check tries again)
                logger.warning("check_failed", error=repr(error))


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
