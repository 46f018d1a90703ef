"""The WebSocket, over a real socket from a real server."""

import asyncio
import json

import pytest
import websockets
from django.test import Client

from markets.infra.threads import in_thread
from markets.models import Event
from markets.services import keys, ledger
from tests.support.clock import NOW
from tests.support.factory import order as wanted
from tests.support.factory import rename, trade
from tests.support.people import bearer, key_for
from tests.support.sockets import connected


def buy(market, trader, order="1"):
    return trade(trader, market, wanted(market.outcomes.first(), shares=5_000_000), key=order)[0]


async def test_a_subscription_is_acknowledged_then_begins_with_a_snapshot_and_goes_on_with_events(
    server, market
):
    async with connected(server) as socket:
        assert await socket.ask(id=1, cmd="subscribe", markets=[market.pk]) == {
            "id": 1,
            "type": "subscribed",
            "markets": [market.pk],
        }
        first = await socket.next()
        assert (first["type"], first["seq"], first["market"]["name"]) == (
            "snapshot",
            1,
            "Will it rain?",
        )
        await in_thread(rename, market, "Snow?")
        event = await socket.next()
        assert (event["type"], event["market_id"], event["seq"]) == ("market.updated", market.pk, 2)


async def test_after_seq_replays_each_market_from_its_own_position(server, make_market):
    one, two, three = [await in_thread(make_market, name) for name in ("A?", "B?", "C?")]
    for market in (one, two):
        await in_thread(rename, market, "X?", "Y?", "Z?")
    async with connected(server) as socket:
        markets = [one.pk, two.pk, three.pk]
        await socket.ask(
            id="x", cmd="subscribe", markets=markets, after_seq={str(one.pk): 1, str(two.pk): 3}
        )
        heard = [await socket.next() for _ in range(5)]
        assert [(m["market_id"], m["seq"], m["type"]) for m in heard] == [
            *((one.pk, seq, "market.updated") for seq in (2, 3, 4)),
            (two.pk, 4, "market.updated"),
            (three.pk, 1, "snapshot"),
        ]


async def test_what_is_unsubscribed_is_heard_no_more_and_can_be_subscribed_again(
    server, make_market
):
    one, two = await in_thread(make_market, "A?"), await in_thread(make_market, "B?")
    async with connected(server) as socket:
        await socket.ask(cmd="subscribe", markets=[one.pk, two.pk])
        await socket.next(), await socket.next()
        assert (await socket.ask(id=2, cmd="unsubscribe", markets=[one.pk]))[
            "type"
        ] == "unsubscribed"
        await in_thread(rename, one, "Not heard?")
        await in_thread(rename, two, "Heard?")
        assert (await socket.next())["market_id"] == two.pk
        await socket.ask(cmd="subscribe", markets=[one.pk], after_seq={one.pk: 1})
        assert (await socket.next())["seq"] == 2


async def test_all_markets_at_once(server, make_market):
    market = await in_thread(make_market)
    async with connected(server) as socket:
        assert await socket.ask(id=1, cmd="subscribe", markets="all") == {
            "id": 1,
            "type": "subscribed",
            "markets": "all",
        }
        assert [m["market_id"] for m in (await socket.next())["markets"]] == [market.pk]
        new = await in_thread(make_market, "New?")
        event = await socket.next()
        assert (event["type"], event["market_id"]) == ("market.created", new.pk)


async def test_a_ping_is_answered(server):
    async with connected(server) as socket:
        assert await socket.ask(id=7, cmd="ping") == {"id": 7, "type": "pong"}


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ("", "validation_error"),
        ("banana", "validation_error"),
        ("[1, 2]", "validation_error"),
        ("[" * 5000, "validation_error"),
        (b"\x00\xff", "validation_error"),
        ('{"id": 3}', "validation_error"),
        ('{"id": 3, "cmd": "shout"}', "validation_error"),
        ('{"id": 3, "cmd": "subscribe"}', "validation_error"),
        ('{"id": 3, "cmd": "subscribe", "markets": []}', "validation_error"),
        ('{"id": 3, "cmd": "subscribe", "markets": "some"}', "validation_error"),
        ('{"id": 3, "cmd": "subscribe", "markets": ["x"]}', "validation_error"),
        ('{"id": 3, "cmd": "subscribe", "markets": [-1]}', "validation_error"),
        ('{"id": 3, "cmd": "subscribe", "markets": [1e99]}', "validation_error"),
        ('{"id": 3, "cmd": "subscribe", "markets": [1], "colour": "red"}', "validation_error"),
        (
            '{"id": 3, "cmd": "subscribe", "markets": [1], "after_seq": {"1": -5}}',
            "validation_error",
        ),
        ('{"id": 3, "cmd": "subscribe", "markets": [1], "after_seq": [4]}', "validation_error"),
        ('{"id": 3, "cmd": "subscribe", "channel": "you"}', "validation_error"),
        ('{"id": 3, "cmd": "subscribe", "markets": [1], "channel": "me"}', "validation_error"),
        ('{"id": 3, "cmd": "subscribe", "markets": [4711]}', "not_found"),
        ('{"id": 3, "cmd": "subscribe", "channel": "me"}', "unauthenticated"),
        (
            json.dumps({"id": 3, "cmd": "subscribe", "markets": list(range(2000))}),
            "validation_error",
        ),
        (
            json.dumps({"id": 3, "cmd": "subscribe", "markets": list(range(100_000))}),
            "validation_error",
        ),
        ('{"id": ' + "9" * 5000 + "}", "validation_error"),
    ],
)
async def test_a_malformed_command_gets_an_error_and_not_a_disconnect(server, message, code):
    async with connected(server) as socket:
        await socket.connection.send(message)
        answer = await socket.next()
        assert (answer["type"], answer["code"]) == ("error", code), answer
        assert answer["detail"]
        assert (await socket.ask(id=4, cmd="ping"))["type"] == "pong"


async def test_a_subscription_is_for_all_of_the_markets_or_for_none(server, market, make_market):
    draft = await in_thread(make_market, "Draft?", status="draft")
    async with connected(server) as socket:
        answer = await socket.ask(id=1, cmd="subscribe", markets=[market.pk, draft.pk])
        assert (answer["id"], answer["code"]) == (1, "not_found")
        await in_thread(rename, market, "Heard by nobody?")
        assert await socket.silent_for(0.5)


async def test_who_floods_is_closed(server):
    async with connected(server) as socket:
        with pytest.raises(websockets.ConnectionClosed) as closed:
            for _ in range(2000):
                await socket.connection.send('{"cmd": "ping"}')
                await asyncio.sleep(0)
            while True:
                await socket.next()
        assert closed.value.rcvd.code == 1008


async def test_a_page_of_another_site_cannot_connect(server):
    for origin in ("https://evil.example", "http://127.0.0.1:1", "null"):
        with pytest.raises(websockets.InvalidStatus) as refused:
            async with connected(server, additional_headers={"Origin": origin}):
                pass
        assert refused.value.response.status_code == 403
    async with connected(server, additional_headers={"Origin": server.url}) as socket:
        assert (await socket.ask(cmd="ping"))["type"] == "pong"


async def test_another_address_is_no_socket(server):
    with pytest.raises(websockets.InvalidStatus):
        async with websockets.connect(server.url.replace("http", "ws") + "/ws/v1/nothing"):
            pass


async def test_own_fills_balance_and_notifications_come_over_a_key(server, market, bob, alice):
    key = await in_thread(key_for, bob)
    async with connected(server, additional_headers=bearer(key)) as socket:
        assert (await socket.ask(id=1, cmd="subscribe", channel="me")) == {
            "id": 1,
            "type": "subscribed",
            "channel": "me",
        }
        first = await socket.next()
        assert (first["type"], first["username"]) == ("snapshot", "bob")
        await in_thread(
            ledger.grant, user=bob, amount=50_000_000, actor=alice, now=NOW, reason="A prize"
        )
        start, prize = await socket.next(), await socket.next()
        assert (start["kind"], start["balance"]) == ("grant", "1000")
        assert (prize["type"], prize["amount"], prize["balance"], prize["note"]) == (
            "balance",
            "50",
            "1050",
            "A prize",
        )
        trade = await in_thread(buy, market, bob)
        fill = await socket.next()
        assert (fill["type"], fill["trade"]["id"], fill["trade"]["client_order_id"]) == (
            "fill",
            trade.pk,
            "1",
        )
        assert float(fill["balance"]) < 1050


async def test_one_connection_hears_a_market_and_its_own_things(server, market, bob):
    key = await in_thread(key_for, bob)
    async with connected(server, additional_headers=bearer(key)) as socket:
        await socket.ask(cmd="subscribe", channel="me")
        await socket.next()
        await socket.ask(cmd="subscribe", markets=[market.pk])
        await socket.next()
        await in_thread(buy, market, bob)
        heard = {}
        while not {"trade", "fill"} <= set(heard):
            message = await socket.next()
            heard[message["type"]] = message
        assert not {"trader", "trader_id", "actor", "username"} & set(heard["trade"])
        assert "bob" not in json.dumps(heard["trade"])
        assert (
            await in_thread(Event.objects.get, market=market, seq=heard["trade"]["seq"])
        ).type == "trade"


async def test_a_session_works_from_a_page_of_this_site(server, alice):
    browser = Client()
    await in_thread(browser.force_login, alice)
    headers = {"Cookie": f"sessionid={browser.cookies['sessionid'].value}", "Origin": server.url}
    async with connected(server, additional_headers=headers) as socket:
        await socket.ask(cmd="subscribe", channel="me")
        assert (await socket.next())["username"] == "alice"


async def test_a_revoked_key_hears_nothing_new(server, bob, monkeypatch):
    from markets.live import relay

    assert relay.RECHECK_SECONDS <= 30
    secret = await in_thread(key_for, bob)
    key = await in_thread(keys.recognise_key, secret=secret, now=NOW)
    await in_thread(keys.revoke_key, user=bob, key_id=key.pk, now=NOW)
    async with connected(server, additional_headers=bearer(secret)) as socket:
        assert (await socket.ask(cmd="subscribe", channel="me"))["code"] == "unauthenticated"
