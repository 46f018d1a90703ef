"""Many viewers of a stream in one process: raw sockets and epoll, so that the client costs less than any server it measures.

`python -m bench.viewers PORT PATH COUNT` prints `open` when every viewer has its first bytes. Then each line on standard input
gets a line of JSON: `reset` forgets what was counted, `report` tells it.
"""

from __future__ import annotations

import json
import re
import select
import socket
import sys
import time

SENT = re.compile(rb'"sent":\s*(\d+)')
MARK = b"data:"


def main() -> None:
    port, path, count = int(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    request = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAccept: text/event-stream\r\n\r\n".encode()
    epoll = select.epoll()
    viewers: dict[int, socket.socket] = {}
    for _ in range(count):
        viewer = socket.create_connection(("127.0.0.1", port))
        viewer.sendall(request)
        viewer.recv(65536)
        viewer.setblocking(False)
        viewers[viewer.fileno()] = viewer
        epoll.register(viewer, select.EPOLLIN)
    epoll.register(0, select.EPOLLIN)
    sys.stdout.write("open\n")
    sys.stdout.flush()
    counts = dict.fromkeys(viewers, 0)
    tails = dict.fromkeys(viewers, b"")
    latencies: list[int] = []
    last, closed = 0, 0
    while True:
        for fd, _ in epoll.poll():
            if fd == 0:
                line = sys.stdin.readline().strip()
                if line == "reset":
                    counts, latencies, last = dict.fromkeys(viewers, 0), [], 0
                    answer: dict[str, object] = {}
                elif line == "report":
                    ordered = sorted(latencies) or [0]
                    at = [
                        ordered[min(len(ordered) - 1, int(len(ordered) * share))] / 1e6
                        for share in (0.5, 0.99)
                    ]
                    answer = {
                        "least": min(counts.values()),
                        "all": sum(counts.values()),
                        "last": last,
                        "closed": closed,
                    }
                    answer |= {"p50": at[0], "p99": at[1]}
                else:
                    return
                sys.stdout.write(json.dumps(answer) + "\n")
                sys.stdout.flush()
                continue
            try:
                chunk = viewers[fd].recv(262_144)
            except BlockingIOError:
                continue
            if not chunk:
                epoll.unregister(fd)
                closed += 1
                continue
            last = time.monotonic_ns()
            text = tails[fd] + chunk
            counts[fd] += text.count(MARK)
            tails[fd] = text[-len(MARK) + 1 :]
            if found := SENT.findall(chunk):
                latencies.append(last - int(found[-1]))


if __name__ == "__main__":
    main()
