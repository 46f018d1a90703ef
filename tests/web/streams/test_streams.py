"""Live streams, over a real socket from a real server."""

import asyncio
import time

import httpx
import psutil
import pytest
from django.utils import timezone

from markets.infra.threads import in_thread
from markets.live import doorbell
from markets.services import catalogue, lifecycle
from tests.support.clock import NOW
from tests.support.factory import rename
from tests.support.processes import wait_for
from tests.support.sse import listening, stream_of


async def edits(market, *names):
    for name in names:
        await in_thread(rename, market, name)


async def test_a_stream_begins_with_a_snapshot_and_goes_on_with_events(server, market):
    async with listening(stream_of(server, market)) as stream:
        assert stream.response.headers["Content-Type"] == "text/event-stream; charset=utf-8"
        number, kind, data = await stream.next()
        assert (number, kind, data["market"]["name"]) == ("1", "snapshot", "Will it rain?")
        await edits(market, "Snow?")
        number, kind, data = await stream.next()
        assert (number, kind, data["seq"], data["market_id"]) == (
            "2",
            "market.updated",
            2,
            market.pk,
        )
        assert data["changes"] == {"name": {"from": "Will it rain?", "to": "Snow?"}}
        assert set(data["prices"].values()) == {"0.5"}


def test_a_client_cannot_say_where_the_application_is_mounted(server, market):
    for path in ("/", f"/api/v1/markets/{market.pk}", "/healthz"):
        assert (
            httpx.get(f"{server.url}{path}", headers={"Daphne-Root-Path": "/elsewhere"}).status_code
            == 200
        )


async def test_a_commit_is_on_the_stream_within_a_second(server, market):
    async with listening(stream_of(server, market)) as stream:
        await stream.next()
        begun = time.monotonic()
        await edits(market, "Snow?")
        await stream.next()
        assert time.monotonic() - begun < 1


async def test_a_reconnect_replays_what_was_missed_without_gap_or_repeat(server, market):
    await edits(market, "A?", "B?", "C?")
    async with listening(stream_of(server, market), Last_Event_ID="2") as stream:
        assert await stream.seqs(2) == [3, 4]
        await edits(market, "D?")
        assert await stream.seqs(1) == [5]
    async with listening(stream_of(server, market) + "?after_seq=4") as stream:
        assert await stream.seqs(1) == [5]
        assert await stream.silent_for(0.3)


async def test_events_made_while_a_viewer_connects_arrive_once_and_in_order(server, market):
    async def write():
        for number in range(40):
            await edits(market, f"Name {number}?")

    async def watch(delay):
        await asyncio.sleep(delay)
        async with listening(stream_of(server, market) + "?after_seq=1") as stream:
            return await stream.seqs(40)

    results = await asyncio.gather(write(), *(watch(n * 0.05) for n in range(8)))
    assert all(seqs == list(range(2, 42)) for seqs in results[1:])


async def test_who_is_too_far_behind_starts_from_a_snapshot(server, market):
    async with listening(stream_of(server, market), Last_Event_ID="0") as stream:
        assert (await stream.next())[1] == "market.created"
    await in_thread(lambda: type(market).objects.filter(pk=market.pk).update(seq=2000))
    async with listening(stream_of(server, market), Last_Event_ID="1") as stream:
        _, kind, data = await stream.next()
        assert (kind, data["seq"]) == ("snapshot", 2000)


@pytest.mark.parametrize("last", ["banana", "-1", "", "9" * 30, "4711", "1.5", "1; DROP TABLE"])
async def test_a_last_event_id_that_makes_no_sense_starts_from_a_snapshot(server, market, last):
    async with listening(stream_of(server, market), Last_Event_ID=last) as stream:
        assert (await stream.next())[1] == "snapshot"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "4711/stream", 404),
        ("GET", "stream?after_seq=1", 422),
        ("GET", "{id}/stream?after_seq=banana", 422),
        ("GET", "{id}/stream?after_seq=-1", 422),
        ("GET", "{id}/stream?colour=red", 422),
        ("GET", "{id}/stream?self=1", 422),
        ("GET", "stream?self=1", 422),
        ("POST", "{id}/stream", 405),
        ("GET", f"{10**30}/stream", 404),
    ],
)
async def test_what_cannot_be_streamed_is_a_problem_before_the_stream_begins(
    server, market, method, path, status
):
    async with httpx.AsyncClient() as client:
        answer = await client.request(
            method, f"{server.url}/api/v1/markets/{path.format(id=market.pk)}"
        )
    assert (answer.status_code, answer.headers["Content-Type"]) == (
        status,
        "application/problem+json",
    )
    assert answer.json()["request_id"] == answer.headers["X-Request-ID"]


async def test_a_draft_cannot_be_watched(server, make_market):
    draft = await in_thread(make_market, status="draft")
    async with httpx.AsyncClient() as client:
        assert (await client.get(stream_of(server, draft))).status_code == 404


async def test_the_stream_of_all_markets_tells_of_each_and_of_new_ones(server, make_market):
    first, second = await in_thread(make_market, "A?"), await in_thread(make_market, "B?")
    draft = await in_thread(make_market, "Draft?", status="draft")
    async with listening(f"{server.url}/api/v1/markets/stream") as stream:
        number, kind, data = await stream.next()
        assert (number, kind, data["complete"]) == (None, "snapshot", True)
        assert [(m["market_id"], m["name"], m["seq"]) for m in data["markets"]] == [
            (second.pk, "B?", 1),
            (first.pk, "A?", 1),
        ]
        await edits(second, "Bee?")
        await in_thread(make_market, "C?")
        await in_thread(lifecycle.open_market, market_id=draft.pk, actor=None, now=NOW)
        heard = [await stream.next() for _ in range(3)]
        assert [(kind, data["seq"]) for _, kind, data in heard] == [
            ("market.updated", 2),
            ("market.created", 1),
            ("market.opened", 2),
        ]


async def test_a_busy_market_reaches_a_viewer_of_all_five_times_a_second_and_its_last_state_always(
    server, market
):
    async with listening(f"{server.url}/api/v1/markets/stream") as stream:
        await stream.next()
        begun = time.monotonic()
        writing = asyncio.create_task(edits(market, *(f"Name {number}?" for number in range(150))))
        heard = []
        while not heard or heard[-1] < 151:
            heard.append((await stream.next())[2]["seq"])
        seconds = time.monotonic() - begun
        await writing
    assert heard == sorted(set(heard))
    assert len(heard) <= seconds * 5 + 2, (len(heard), seconds)
    assert len(heard) < 150


async def test_a_viewer_of_all_markets_is_not_told_again_what_the_snapshot_said(
    server, make_market
):
    await in_thread(make_market, now=timezone.now())
    async with listening(f"{server.url}/api/v1/markets/stream") as stream:
        assert (await stream.next())[2]["markets"][0]["seq"] == 1
        assert await stream.silent_for(2.5), (
            "the check of the database looks back over the snapshot"
        )


async def test_what_happens_to_a_draft_is_told_to_nobody(server, make_market):
    draft = await in_thread(make_market, "Draft?", status="draft")
    async with listening(f"{server.url}/api/v1/markets/stream") as stream:
        await stream.next()
        await edits(draft, "Secret?")
        assert await stream.silent_for(2.5), (
            "neither the doorbell nor the check of the database may tell"
        )


async def test_a_lost_ring_is_found_in_the_database(server, market, monkeypatch):
    async with (
        listening(stream_of(server, market)) as stream,
        listening(f"{server.url}/api/v1/markets/stream") as lobby,
    ):
        await stream.next()
        await lobby.next()
        monkeypatch.setattr(doorbell, "ring", lambda _message: None)
        changes = {"name": "A?"}
        await in_thread(
            catalogue.edit_market,
            market_id=market.pk,
            actor=None,
            now=timezone.now(),
            changes=changes,
        )
        assert await stream.seqs(1) == [2]
        assert (await lobby.next())[2]["seq"] == 2


async def test_rings_that_come_late_twice_or_out_of_order_do_not_show(server, market, monkeypatch):
    ring, held = doorbell.ring, []
    async with listening(stream_of(server, market)) as stream:
        await stream.next()
        monkeypatch.setattr(doorbell, "ring", held.append)
        await edits(market, "A?", "B?", "C?")
        for message in [held[2], held[0], held[2], held[1], held[0]]:
            ring(message)
        assert await stream.seqs(3) == [2, 3, 4]
        assert await stream.silent_for(0.5)


async def test_a_heartbeat_comes_when_nothing_happens(market, django_db_blocker):
    """Thirteen seconds in production; here a consumer in this process with a shorter patience."""
    from channels.testing import HttpCommunicator

    from config.asgi import application
    from markets.live import viewer

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(viewer, "HEARTBEAT_SECONDS", 0.1)
        talk = HttpCommunicator(application, "GET", f"/api/v1/markets/{market.pk}/stream")
        await talk.send_input({"type": "http.request", "body": b""})
        assert (await talk.receive_output(5))["status"] == 200
        assert b"retry: " in (await talk.receive_output(5))["body"]
        assert (await talk.receive_output(5))["body"] == b": still here\n\n"
        await talk.send_input({"type": "http.disconnect"})
        await talk.wait(5)


async def test_two_hundred_streams_cost_no_thread_each_and_give_everything_back(server, market):
    process = psutil.Process(server.child.pid)
    async with listening(stream_of(server, market)) as warm:
        await warm.next()
    before = (process.num_threads(), process.num_fds(), process.memory_info().rss)

    async def many(count):
        limits = httpx.Limits(max_connections=None)
        async with httpx.AsyncClient(timeout=30, limits=limits) as client:
            opened = [client.stream("GET", stream_of(server, market)) for _ in range(count)]
            for context in opened:
                await context.__aenter__()
            most = (process.num_threads(), process.num_fds())
            for context in opened:
                await context.__aexit__(None, None, None)
        await in_thread(wait_for, lambda: process.num_fds() <= before[1] + 15)
        return most

    threads, files = await many(200)
    assert files >= before[1] + 190, (
        "each stream is a socket (the warm one may still be closing when counted)"
    )
    assert threads <= before[0] + 12, "the database threads, and none for a viewer"
    settled = process.memory_info().rss
    for _ in range(2):
        await many(200)
    assert process.memory_info().rss < settled + 12_000_000, (
        "opening and closing again takes no more memory"
    )
