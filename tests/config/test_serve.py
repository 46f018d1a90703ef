"""The application under other servers than Daphne: several processes, streams, a clean stop."""

import asyncio
import contextlib
import re
import signal
import subprocess
import time

import httpx
import pytest

from bench.servers import many_sockets
from config.dev import embedded
from markets.infra.threads import in_thread
from markets.services import catalogue
from tests.support.clock import NOW
from tests.support.processes import Process, wait_for
from tests.support.sockets import connected
from tests.support.sse import listening

SERVERS = {
    "granian": [
        "make",
        "--no-print-directory",
        "--dry-run",
        "serve",
        "PORT={port}",
    ],  # says the command that it would run
    "uvicorn": ["echo", "-m uvicorn --workers 2 --port {port} config.asgi:application"],
}


@pytest.fixture(params=SERVERS)
def served(request, world):
    port = embedded.free_port()
    many_sockets()
    said = subprocess.run(
        [part.format(port=port) for part in SERVERS[request.param]],
        capture_output=True,
        text=True,
        check=True,
    )
    process = Process(*said.stdout.rpartition("-m ")[2].split(), STREAMS_PER_ADDRESS="4000")
    process.url = f"http://127.0.0.1:{port}"

    def answers():
        assert process.child.poll() is None, process.output()
        with contextlib.suppress(httpx.TransportError):
            return httpx.get(f"{process.url}/healthz").status_code == 200

    wait_for(answers, 30)
    yield process
    process.end()


async def test_more_viewers_than_a_server_works_on_requests_by_itself_leave_room_for_reads(
    served, market
):
    """Without being told otherwise granian works on 1,024 requests at a time, and each stream is one."""
    port = int(served.url.rpartition(":")[2])
    viewers = []
    for _ in range(1300):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /api/v1/markets/stream HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        viewers.append((reader, writer))
    for reader, _ in viewers:
        assert b" 200 " in await asyncio.wait_for(reader.readline(), 20)
    async with httpx.AsyncClient(timeout=5) as client:
        assert (await client.get(f"{served.url}/api/v1/markets/{market.pk}")).status_code == 200
    for _, writer in viewers:
        writer.close()


async def test_who_never_sends_the_rest_of_a_request_makes_nobody_wait(served, market):
    """Each would begin to make the answer that the others then wait for."""
    path = f"/api/v1/markets/{market.pk}"
    port = int(served.url.rpartition(":")[2])
    hanging = [f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1\r\n\r\n"]
    hanging += [f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\n"]
    writers = []
    for request in hanging * 8:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(request.encode())
        writers.append(writer)
    begun = time.monotonic()
    async with httpx.AsyncClient(timeout=5) as client:
        while time.monotonic() < begun + 2.5:  # nothing is kept for longer than a second
            assert (await client.get(f"{served.url}{path}")).status_code == 200
            await asyncio.sleep(0.05)
    for writer in writers:
        writer.close()


async def test_several_processes_serve_streams_and_say_goodbye(served, market):
    address = f"{served.url}/api/v1/markets/{market.pk}"
    async with contextlib.AsyncExitStack() as stack:
        streams = [
            await stack.enter_async_context(listening(f"{address}/stream")) for _ in range(6)
        ]
        web_socket = await stack.enter_async_context(connected(served))
        await web_socket.ask(cmd="subscribe", markets=[market.pk])
        assert {(await stream.next())[1] for stream in streams} == {"snapshot"}
        assert (await web_socket.next())["type"] == "snapshot"
        await in_thread(
            catalogue.edit_market,
            market_id=market.pk,
            actor=None,
            now=NOW,
            changes={"name": "Snow?"},
        )
        assert [(await stream.next())[2]["seq"] for stream in streams] == [2] * 6
        assert (await web_socket.next())["type"] == "market.updated"
        async with httpx.AsyncClient() as client:
            for _ in range(8):
                assert (await client.get(address)).json()["name"] == "Snow?"
        served.child.send_signal(signal.SIGTERM)
        for stream in streams:
            rest = [line async for line in stream.lines]
            assert re.fullmatch(r"retry: \d+", [line for line in rest if line][-1])
        assert (await web_socket.next())["type"] == "goodbye"
    assert await in_thread(served.child.wait, 20) is not None
