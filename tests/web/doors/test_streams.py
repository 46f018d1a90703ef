"""Every stream and every command of the WebSocket, asked by everybody, over real sockets."""

import httpx
import pytest
import websockets

from tests.support.roles import ROLES, STREAMS, read
from tests.support.sockets import Socket

# what each command of the table says, without its verb
TARGETS = {
    "": lambda place: {},
    "markets": lambda place: {"markets": [place.active.pk]},
    "markets · a draft": lambda place: {"markets": [place.draft.pk]},
    "markets · one and a draft": lambda place: {"markets": [place.active.pk, place.draft.pk]},
    "all": lambda place: {"markets": "all"},
    "me": lambda place: {"channel": "me"},
}
REFUSALS = {"unauthenticated": "refused", "forbidden": "refused", "not_found": "hidden"}


def who(place, role):
    return {
        name: value
        for name, value in place.headers[role].items()
        if name in {"Cookie", "Authorization"}
    }


async def listened(server, headers, path):
    async with (
        httpx.AsyncClient(trust_env=False, verify=False) as client,
        client.stream("GET", f"{server.url}{path}", headers=headers) as answer,
    ):
        return read(answer)


async def connected(server, headers, path, **command):
    """What the handshake says; or, when there is a command, what its answer says."""
    try:
        async with websockets.connect(
            server.url.replace("http", "ws") + path, additional_headers=headers
        ) as connection:
            if not command:
                return "allowed"
            answer = await Socket(connection).ask(**command)
    except websockets.InvalidStatus as refusal:
        return {403: "refused", 404: "hidden"}[refusal.response.status_code]
    if answer["type"] == "error":
        return REFUSALS[answer["code"]]
    assert answer["type"] in {"pong", f"{command['cmd']}d"}
    return "allowed"


@pytest.mark.parametrize("row", STREAMS, ids=lambda row: row.door)
async def test_a_stream_lets_in_whom_the_table_names(place, running, row):
    kind, _, rest = row.door.partition(" ")
    path, _, what = rest.partition(" · ")
    market = place.draft if what == "a draft" else place.active
    found = {}
    for role in ROLES:
        headers = who(place, role)
        if kind == "SSE":
            found[role] = await listened(
                running, headers, path.replace("<int:market_id>", str(market.pk))
            )
        elif kind == "WS":
            origin = {"Origin": "https://elsewhere.example"} if what else {}
            found[role] = await connected(
                running, {**headers, **origin}, "/ws/other" if path == "/" else path
            )
        else:
            verb, _, target = rest.partition(" ")
            command = {"id": 1, "cmd": verb, **TARGETS[target](place)}
            found[role] = await connected(running, headers, "/ws/v1/stream", **command)
    assert found == row.expected()


async def test_the_channel_me_speaks_of_the_person_who_asks(place, running):
    for role in ROLES[:-1]:
        url = running.url.replace("http", "ws") + "/ws/v1/stream"
        async with websockets.connect(url, additional_headers=who(place, role)) as connection:
            socket = Socket(connection)
            await socket.ask(cmd="subscribe", channel="me")
            name = {"editor-key": "editor", "trade-key": "trader", "read-key": "trader"}.get(
                role, role
            )
            assert (await socket.next())["user_id"] == place.people[name].pk
