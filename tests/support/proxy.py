"""A wire between a server and its database that can fall silent."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator


class Proxy:
    """Passes bytes on to a port of 127.0.0.1. Connections that are there when it is silenced stay open and pass nothing on."""

    def __init__(self, port: int) -> None:
        self.target = port
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self.listener.getsockname()[1]
        self.sockets: list[socket.socket] = []
        self.speaking = threading.Event()  # of the connections that are made from now on
        self.speaking.set()
        threading.Thread(target=self._accept, daemon=True).start()

    def silence(self) -> None:
        self.speaking.clear()
        self.speaking = threading.Event()
        self.speaking.set()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self.listener.accept()
                server = socket.create_connection(("127.0.0.1", self.target))
                self.sockets += [client, server]
                for source, sink in ((client, server), (server, client)):
                    threading.Thread(
                        target=self._pass_on, args=(source, sink, self.speaking), daemon=True
                    ).start()

    @staticmethod
    def _pass_on(source: socket.socket, sink: socket.socket, speaking: threading.Event) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if not speaking.is_set():
                    return  # and leave both open
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        for one in (self.listener, *self.sockets):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()


@contextlib.contextmanager
def proxied(port: int) -> Iterator[Proxy]:
    proxy = Proxy(port)
    try:
        yield proxy
    finally:
        proxy.close()
