"""Daphne with backpressure and a time limit for requests: `python -m config.daphne <as daphne>`.

Daphne's `send` returns at once and keeps in memory what a slow client has not read. Here it waits
for the client, as ASGI wants, and an application that ends meanwhile ends the connection.
"""

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, Final

from daphne.cli import CommandLineInterface
from daphne.http_protocol import WebRequest
from daphne.server import Server
from twisted.internet import tcp
from twisted.internet.interfaces import IPushProducer
from zope.interface import implementer

MAX_REQUEST_SECONDS: Final = 60.0  # to send a request, of at most 4 MB


class EagerTransport(tcp.Server):
    """Writes at once when its buffer is empty, as asyncio's connections do.

    Twisted writes in the next turn of its event loop: four system calls instead of one.
    """

    held: list[bytes] | None = None  # inside `held_together`: what was written

    def writeSequence(self, iovec: Any) -> None:  # noqa: N802  (Twisted's names)
        self.write(b"".join(iovec))

    def write(self, data: bytes) -> None:
        if self.held is not None:
            self.held.append(data)
            return
        waiting = self.disconnecting or self.dataBuffer or self._tempDataBuffer
        if data and self.connected and not waiting:
            sent = self.writeSomeData(data)
            if isinstance(sent, int):  # otherwise an error, which the event loop will meet again
                data = data[sent:]
        if data:
            super().write(data)

    @contextmanager
    def held_together(self) -> Iterator[None]:
        """Send what the block writes, such as headers and body, in one piece."""
        self.held = []
        try:
            yield
        finally:
            held, self.held = self.held, None
            self.writeSequence(held)


@implementer(IPushProducer)
class Gate:
    """Twisted's flow control: `free` is set unless the buffer of the connection is full."""

    def __init__(self, protocol: Any) -> None:
        self.free = asyncio.Event()
        self.free.set()
        if isinstance(protocol, WebRequest):
            protocol.registerProducer(self, True)
        else:
            protocol.transport.unregisterProducer()  # the HTTP channel, now done with its part
            protocol.transport.registerProducer(self, True)

    def pauseProducing(self) -> None:  # noqa: N802  (Twisted's names)
        self.free.clear()

    def resumeProducing(self) -> None:  # noqa: N802
        self.free.set()

    stopProducing = resumeProducing  # noqa: N815  (the connection is gone)


class PatientServer(Server):
    """Waits for slow readers and drops slow writers. Daphne calls its methods."""

    def listen_success(self, port: Any) -> None:
        if isinstance(port, tcp.Port):
            port.transport = EagerTransport
        super().listen_success(port)

    def create_application(self, protocol: Any, scope: Any) -> Any:
        scope["root_path"] = self.root_path  # Daphne trusts a header that any client may send
        queue = super().create_application(protocol, scope)
        if queue is not None:
            application = self.connections[protocol]["application_instance"]
            application.add_done_callback(partial(self._forget, protocol))
        return queue

    def _forget(self, protocol: Any, application: asyncio.Future[None]) -> None:
        """Forget a finished request at once; Daphne's way, all once a second, takes long."""
        failed = application.cancelled() or application.exception()
        if "disconnected" in self.connections.get(protocol, {}) and not failed:
            del self.connections[protocol]

    def application_checker(self) -> None:
        """Drop, every second, connections whose request is late or whose application has ended."""
        super().application_checker()
        for protocol, details in list(self.connections.items()):
            if "application_instance" in details or "disconnected" in details:
                continue
            ended = "gate" in details  # the application has ended, its response has not
            transport = _transport(protocol)
            if transport and (ended or time.time() - details["connected"] > MAX_REQUEST_SECONDS):
                transport.abortConnection()

    async def handle_reply(self, protocol: Any, message: dict[str, Any]) -> None:
        details = self.connections.get(protocol)
        if details is None or "disconnected" in details:
            return
        gate: Gate | None = details.get("gate")
        kind = message["type"]
        body, more = kind == "http.response.body", message.get("more_body")
        transport = _transport(protocol)
        if gate and (body or kind == "websocket.close") and not more:
            if not gate.free.is_set():  # the client reads nothing: it would not read the end either
                transport.abortConnection()
                return
            if body:
                protocol.unregisterProducer()
        if kind == "http.response.start":
            self.check_headers_type(message)
        if body and gate is None and isinstance(transport, EagerTransport):
            with transport.held_together():
                protocol.handle_reply(message)
        elif kind == "websocket.close" and protocol.state == protocol.STATE_OPEN:
            # Daphne's own way refuses the close codes that RFC 6455 defines
            protocol.sendCloseFrame(code=message.get("code") or 1000)
        else:
            protocol.handle_reply(message)
        if gate:
            await gate.free.wait()
        elif kind == "websocket.accept" or (body and more):
            details["gate"] = Gate(protocol)


def _transport(protocol: Any) -> Any:
    """Return Twisted's TCP transport, or None when it is gone."""
    if isinstance(protocol, WebRequest):
        return protocol.channel and protocol.channel.transport  # None once the response is finished
    return protocol.transport


class Command(CommandLineInterface):
    server_class = PatientServer


if __name__ == "__main__":
    Command.entrypoint()
