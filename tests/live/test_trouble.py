"""Streams under trouble: crowds, readers that do not read, servers that stop, a Redis that dies."""

import asyncio
import contextlib
import os
import re
import signal
import socket
import time

import httpx
import psutil
import pytest
import uvloop

from config.dev import embedded
from markets.infra.threads import in_thread
from markets.live import relay
from markets.services import ledger
from tests.support.clock import NOW
from tests.support.factory import edit_now
from tests.support.people import bearer, key_for
from tests.support.processes import serving, wait_for
from tests.support.sockets import connected
from tests.support.sse import listening, stream_of

LONG = "Long words. " * 800  # some 10 KB


async def test_a_private_stream_resumes_where_it_was(server, bob, alice):
    key = await in_thread(key_for, bob)
    url = f"{server.url}/api/v1/me/stream"

    async def grant(reason):
        await in_thread(
            ledger.grant, user=bob, amount=1_000_000, actor=alice, now=NOW, reason=reason
        )

    async with listening(url, **bearer(key)) as stream:
        _, kind, first = await stream.next()
        assert (kind, first["username"], first["balance"]) == ("snapshot", "bob", "1000")
        await grant("One")
        heard = [await stream.next() for _ in range(2)]
        assert [data["note"] for _, _, data in heard] == ["Starting grant", "One"]
    await grant("Two")
    async with listening(url, **bearer(key), Last_Event_ID=heard[-1][0]) as stream:
        position, kind, data = await stream.next()
        assert (kind, data["note"], data["balance"]) == ("balance", "Two", "1002")
    for nonsense in ("banana", "9999999.9999999", "-1.-1"):
        async with listening(url, **bearer(key), Last_Event_ID=nonsense) as stream:
            assert (await stream.next())[1] == "snapshot"


@pytest.mark.parametrize(
    ("headers", "status"),
    [({}, 401), (bearer("bw_00000000_no"), 401), ({"Cookie": "sessionid=no"}, 401)],
)
async def test_a_private_stream_is_for_those_it_belongs_to(server, headers, status):
    async with httpx.AsyncClient() as client:
        answer = await client.get(f"{server.url}/api/v1/me/stream", headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (status, "unauthenticated")


async def test_there_are_only_so_many_streams_for_an_address_and_a_process(market):
    with serving(STREAMS_PER_ADDRESS="3") as server:
        async with (
            listening(stream_of(server, market)) as a,
            listening(stream_of(server, market)) as b,
        ):
            async with listening(stream_of(server, market)):
                async with httpx.AsyncClient() as client:
                    answer = await client.get(stream_of(server, market))
                assert (answer.status_code, answer.json()["code"]) == (503, "too_many_streams")
                assert int(answer.headers["Retry-After"]) > 0
                async with connected(server) as late:
                    assert (await late.next())["code"] == "too_many_streams"
                    await late.connection.wait_closed()
                    assert late.connection.close_code == 1013
            await asyncio.sleep(0.5)
            async with listening(stream_of(server, market)) as again:
                assert (await again.next())[1] == "snapshot"
            assert [(await stream.next())[1] for stream in (a, b)] == ["snapshot", "snapshot"]


async def everything(response):
    text = ""
    async for chunk in response.aiter_text():
        text += chunk
    return text


async def test_a_server_that_stops_asks_each_viewer_to_return_at_another_moment_and_nothing_is_lost(
    market,
):
    with serving() as server:
        async with httpx.AsyncClient(
            timeout=30, limits=httpx.Limits(max_connections=None)
        ) as client:
            opened = [client.stream("GET", stream_of(server, market)) for _ in range(30)]
            responses = [await stream.__aenter__() for stream in opened]
            async with connected(server) as web_socket:
                await web_socket.ask(cmd="subscribe", markets=[market.pk])
                await web_socket.next()
                server.child.send_signal(signal.SIGTERM)
                texts = await asyncio.gather(*map(everything, responses))
                goodbye = await web_socket.next()
                await web_socket.connection.wait_closed()
        assert goodbye["type"] == "goodbye"
        assert goodbye["reconnect_after_ms"] <= 5000
        assert web_socket.connection.close_code == 1012
        delays = [int(re.findall(r"retry: (\d+)", text)[-1]) for text in texts]
        assert len(set(delays)) > 15, "spread out"
        assert max(delays) <= 5000
        last = max(int(number) for number in re.findall(r"id: (\d+)", texts[0]))
        assert await in_thread(server.child.wait, 10) is not None, "it ends by itself, and soon"
        await in_thread(edit_now, market, name="While nobody served?")
        with serving() as successor:
            async with listening(stream_of(successor, market), Last_Event_ID=str(last)) as stream:
                assert await stream.seqs(1) == [last + 1]


@pytest.mark.parametrize("make_loop", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_a_server_that_gave_its_handler_to_the_loop_hears_of_a_signal_once_all_have_left(make_loop):
    async def stop_with_a_viewer():
        stopped = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
        hub = await relay.hub()
        viewer = hub.admit("", lambda: None)
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.wait_for(viewer.next(), 5)
        await asyncio.sleep(0.2)
        assert viewer.reconnect_ms is not None
        assert not stopped.is_set(), "the viewer is still being told"
        hub.dismiss(viewer)
        await asyncio.wait_for(stopped.wait(), 5)

    with asyncio.Runner(loop_factory=make_loop) as runner:
        runner.run(stop_with_a_viewer())


async def test_a_stream_that_is_too_old_ends_and_is_resumed(market):
    with serving("tests.support.impatient", LONGEST_STREAM="6") as server:
        begun = time.monotonic()
        async with (
            httpx.AsyncClient(timeout=30) as client,
            client.stream("GET", stream_of(server, market)) as response,
        ):
            text = await everything(response)
        assert 4 < time.monotonic() - begun < 12
        assert "retry: " in text.split("\n\n")[-2], "the last words say when to come back"


async def test_a_key_that_is_revoked_ends_its_private_stream(bob):
    from markets.services import keys

    secret = await in_thread(key_for, bob)
    with serving("tests.support.impatient", LONGEST_STREAM="6") as server:
        async with listening(f"{server.url}/api/v1/me/stream", **bearer(secret)) as stream:
            await stream.next()
            key = await in_thread(keys.recognise_key, secret=secret, now=NOW)
            await in_thread(keys.revoke_key, user=bob, key_id=key.pk, now=NOW)
            with pytest.raises(EOFError):
                await stream.next(4)


def deaf(server, path):
    """A viewer who asks and never reads."""
    viewer = socket.socket()
    viewer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    viewer.connect(("127.0.0.1", server.port))
    viewer.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
    return viewer


async def test_fifty_viewers_who_never_read_cost_little_are_dropped_and_disturb_nobody(market):
    with serving("tests.support.impatient", LONGEST_STREAM="600") as server:
        process = psutil.Process(server.child.pid)
        async with listening(stream_of(server, market)) as stream:
            await stream.next()
            await in_thread(edit_now, market, description=LONG)
            await stream.seqs(1)
            before = process.memory_info().rss
            path = f"/api/v1/markets/{market.pk}/stream"
            viewers = [await in_thread(deaf, server, path) for _ in range(50)]
            cleanup = contextlib.ExitStack()
            cleanup.callback(lambda: [viewer.close() for viewer in viewers])
            most, late = 0, []
            for number in range(250):  # 20 KB each: 250 MB for fifty viewers if all of it waited
                begun = time.monotonic()
                await in_thread(edit_now, market, description=f"{number} {LONG}")
                assert await stream.seqs(1) == [number + 3]
                late.append(time.monotonic() - begun)
                most = max(most, process.memory_info().rss - before)
            assert most < 40_000_000, "measured: 15 MB for 220 MB of events"
            assert sorted(late)[len(late) // 2] < 0.5

        def connections():
            return [
                c
                for c in process.net_connections("tcp")
                if c.laddr.port == server.port and c.status != "LISTEN"
            ]

        await in_thread(wait_for, lambda: not connections(), 15)
        cleanup.close()


async def test_requests_that_never_finish_are_closed_and_disturb_nobody(market):
    with serving("tests.support.impatient", LONGEST_STREAM="6") as server:

        def half():
            client = socket.create_connection(("127.0.0.1", server.port))
            client.sendall(b"GET /api/v1/markets/ HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ")
            return client

        slow = [half() for _ in range(50)]
        for _ in range(10):
            async with httpx.AsyncClient() as client:
                assert (await client.get(f"{server.url}/healthz")).status_code == 200
        for client in slow:
            client.settimeout(8)
            with contextlib.suppress(ConnectionResetError):
                assert await in_thread(client.recv, 100) == b""
            client.close()


async def test_a_trade_through_either_process_reaches_the_viewers_of_both(market, bob):
    key = await in_thread(key_for, bob, "read", "trade")
    outcome = await in_thread(lambda: market.outcomes.first().pk)
    with serving() as a, serving() as b:
        async with (
            listening(stream_of(a, market)) as at_a,
            listening(stream_of(b, market)) as at_b,
            httpx.AsyncClient() as client,
        ):
            assert [(await stream.next())[1] for stream in (at_a, at_b)] == ["snapshot", "snapshot"]
            for number, server in enumerate((a, b)):
                order = {
                    "outcome_id": outcome,
                    "side": "buy",
                    "shares": "1",
                    "client_order_id": str(number),
                }
                url = f"{server.url}/api/v1/markets/{market.pk}/trades"
                answer = await client.post(url, json=order, headers=bearer(key))
                assert answer.status_code == 201, answer.text
                heard = [(await stream.next(1))[2] for stream in (at_a, at_b)]
                assert [(m["type"], m["seq"]) for m in heard] == [("trade", number + 2)] * 2


async def test_a_redis_that_is_killed_and_restarted_loses_no_event(
    market, staff_key, monkeypatch, tmp_path
):
    monkeypatch.setattr(embedded, "running", {})
    port = embedded.free_port()
    monkeypatch.setattr(embedded, "free_port", lambda: port)

    async def rename(client, server, name):
        version = (
            await client.get(f"{server.url}/api/v1/markets/{market.pk}", headers=bearer(staff_key))
        ).json()["version"]
        headers = {**bearer(staff_key), "If-Match": str(version)}
        answer = await client.patch(
            f"{server.url}/api/v1/markets/{market.pk}", json={"name": name}, headers=headers
        )
        assert answer.status_code == 200, answer.text

    with embedded.valkey(tmp_path) as url:
        monkeypatch.undo()
        with serving(REDIS_URL=url) as server:
            async with (
                httpx.AsyncClient(timeout=20) as client,
                listening(stream_of(server, market)) as stream,
            ):
                await stream.next()
                await rename(client, server, "Before?")
                assert await stream.seqs(1) == [2]
                pid = next(
                    c.laddr.port == port and c.pid
                    for c in psutil.net_connections("tcp")
                    if c.laddr.port == port and c.status == "LISTEN"
                )
                os.kill(pid, signal.SIGKILL)
                await rename(client, server, "During?")
                begun = time.monotonic()
                assert await stream.seqs(1) == [3]
                assert time.monotonic() - begun < 5
                monkeypatch.setattr(embedded, "running", {})
                monkeypatch.setattr(embedded, "free_port", lambda: port)
                with embedded.valkey(tmp_path):
                    await rename(client, server, "After?")
                    begun = time.monotonic()
                    assert await stream.seqs(1) == [4]
                    assert time.monotonic() - begun < 5
                    await asyncio.sleep(4)
                    begun = time.monotonic()
                    await rename(client, server, "Well again?")
                    assert await stream.seqs(1) == [5]
                    assert time.monotonic() - begun < 1, "the doorbell rings again"
