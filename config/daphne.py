"""Daphne with what it lacks for streams: `python -m config.daphne` takes what `daphne` takes.

Daphne's `send` returns at once, however much of what was sent before still waits in memory for a client that does not read.
Here it waits until that has gone, as the ASGI specification wants it, and an application that ends meanwhile ends the
connection instead of leaving it to the client. And a request must have come whole within `LONGEST_REQUEST` seconds.
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

LONGEST_REQUEST: Final = 60.0  # seconds; the largest body has 4 MB


class EagerTransport(tcp.Server):
    """A connection that writes at once when nothing waits, as asyncio's do.

    Twisted's waits for a turn of its event loop, which costs four system calls instead of one.
    """

    held: list[bytes] | None = None  # what is to leave as one

    def writeSequence(self, iovec: Any) -> None:  # noqa: N802  (Twisted's names)
        self.write(b"".join(iovec))

    def write(self, data: bytes) -> None:
        if self.held is not None:
            self.held.append(data)
            return
        if (
            data
            and self.connected
            and not (self.disconnecting or self.dataBuffer or self._tempDataBuffer)
        ):
            sent = self.writeSomeData(data)
            if isinstance(sent, int):  # otherwise an error, which the turn will find again
                data = data[sent:]
        if data:
            super().write(data)

    @contextmanager
    def held_together(self) -> Iterator[None]:
        """What is written meanwhile leaves as one: headers and body."""
        self.held = []
        try:
            yield
        finally:
            held, self.held = self.held, None
            self.writeSequence(held)


@implementer(IPushProducer)
class Gate:
    """Twisted's flow control as something to wait for: the transport closes it while its buffer is full."""

    def __init__(self) -> None:
        self.free = asyncio.Event()
        self.free.set()

    def pauseProducing(self) -> None:  # noqa: N802  (Twisted's names)
        self.free.clear()

    def resumeProducing(self) -> None:  # noqa: N802
        self.free.set()

    def stopProducing(self) -> None:  # noqa: N802  (the connection is gone)
        self.free.set()


class PatientServer(Server):
    """Waits for clients that read slowly, and not for those that write slowly."""

    def listen_success(self, port: Any) -> None:
        """Daphne calls this with each port that it listens on."""
        if isinstance(port, tcp.Port):
            port.transport = EagerTransport
        super().listen_success(port)

    def create_application(self, protocol: Any, scope: Any) -> Any:
        """Daphne calls this with each request."""
        scope["root_path"] = self.root_path  # Daphne takes it from a header that anybody may send
        queue = super().create_application(protocol, scope)
        if queue is not None:
            self.connections[protocol]["application_instance"].add_done_callback(
                partial(self._over, protocol)
            )
        return queue

    def _over(self, protocol: Any, application: asyncio.Future[None]) -> None:
        """Forget at once a request that went well. (Daphne does it every second, which makes a long pause of many.)"""
        details = self.connections.get(protocol, {})
        if (
            "disconnected" in details
            and not application.cancelled()
            and application.exception() is None
        ):
            del self.connections[protocol]

    def application_checker(self) -> None:
        """Daphne calls this every second."""
        super().application_checker()
        for protocol, details in list(self.connections.items()):
            if "application_instance" in details or "disconnected" in details:
                continue
            deserted = "gate" in details  # the application ended and its response did not
            transport = _transport(protocol)
            if transport and (deserted or time.time() - details["connected"] > LONGEST_REQUEST):
                transport.abortConnection()

    async def handle_reply(self, protocol: Any, message: dict[str, Any]) -> None:
        details = self.connections.get(protocol)
        if details is None or "disconnected" in details:
            return
        gate: Gate | None = details.get("gate")
        kind = message["type"]
        if (
            gate is not None
            and kind in {"http.response.body", "websocket.close"}
            and not message.get("more_body")
        ):
            if not gate.free.is_set():  # it takes nothing: there is no use in saying goodbye
                _transport(protocol).abortConnection()
                return
            if kind == "http.response.body":
                protocol.unregisterProducer()
        if kind == "http.response.start":
            self.check_headers_type(message)
        transport = _transport(protocol)
        if kind == "http.response.body" and gate is None and isinstance(transport, EagerTransport):
            with transport.held_together():
                protocol.handle_reply(message)
        elif kind == "websocket.close" and protocol.state == protocol.STATE_OPEN:
            protocol.sendCloseFrame(
                code=message.get("code") or 1000
            )  # Daphne's way takes none of RFC 6455's own codes
        else:
            protocol.handle_reply(message)
        if gate is None:
            if kind == "websocket.accept" or (
                kind == "http.response.body" and message.get("more_body")
            ):
                details["gate"] = _gate(protocol)
        elif not gate.free.is_set():
            await gate.free.wait()


def _transport(protocol: Any) -> Any:
    """The connection beneath: a TCP transport of Twisted."""
    if isinstance(protocol, WebRequest):
        return protocol.channel and protocol.channel.transport  # None once the response is finished
    return protocol.transport


def _gate(protocol: Any) -> Gate:
    """Put a gate between an open connection and its application."""
    gate = Gate()
    if isinstance(protocol, WebRequest):
        protocol.registerProducer(gate, True)
    else:
        transport = _transport(protocol)
        transport.unregisterProducer()  # the HTTP side of the connection, which has handed it over
        transport.registerProducer(gate, True)
    return gate


class Command(CommandLineInterface):
    server_class = PatientServer


if __name__ == "__main__":
    Command.entrypoint()
