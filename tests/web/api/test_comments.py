"""Comments over the API and on the streams."""

import pytest

from markets.domain.amounts import MICRO
from markets.infra.threads import in_thread
from markets.services import comments
from tests.support.clock import NOW
from tests.support.factory import order, trade, yes_no
from tests.support.people import bearer, key_for
from tests.support.sockets import connected


@pytest.fixture
def bobs(bob):
    return bearer(key_for(bob, "read", "trade"))


def path_of(market):
    return f"/api/v1/markets/{market.pk}/comments"


async def say(client, market, headers, text="The glass falls.", **more):
    return await client.post(path_of(market), headers=headers, json={"text": text, **more})


async def test_a_reason_and_its_answer_are_read_by_everybody(client, market, bob, alice, bobs):
    yes, _no = await in_thread(yes_no, market)
    await in_thread(trade, bob, market, order(yes, shares=12 * MICRO))
    made = await say(client, market, bobs)
    assert made.status_code == 201
    reason = made.json()
    alices = bearer(await in_thread(key_for, alice, "trade"))
    await say(client, market, alices, "It is **broken**.", parent_id=reason["id"])
    again = await say(client, market, bobs)
    assert (again.status_code, again.json()) == (200, reason)
    (thread,) = (await client.get(path_of(market))).json()["items"]
    assert (thread["author"], thread["text"]) == ("bob", "The glass falls.")
    assert thread["holds"] == [{"outcome_id": yes.pk, "shares": "12"}]
    (answer,) = thread["replies"]
    assert (answer["author"], answer["parent_id"], answer["holds"]) == ("alice", reason["id"], [])
    assert "replies" not in answer


async def test_the_site_may_keep_holdings_to_itself(client, market, bob, bobs, settings):
    settings.SHOW_HOLDINGS = False
    await in_thread(trade, bob, market, order((await in_thread(yes_no, market))[0]))
    await say(client, market, bobs)
    assert (await client.get(path_of(market))).json()["items"][0]["holds"] == []


async def test_what_is_hidden_is_said_nowhere_and_its_answers_stay(
    client, market, alice, bob, bobs
):
    reason = (await say(client, market, bobs, "Rude words")).json()
    await say(client, market, bobs, "A calm answer", parent_id=reason["id"])
    await in_thread(
        comments.decide, comment_id=reason["id"], actor=alice, now=NOW, decision="hidden"
    )
    listed = await client.get(path_of(market))
    assert "Rude" not in listed.text
    (thread,) = listed.json()["items"]
    assert (thread["author"], thread["text"], thread["hidden"]) == (None, "", True)
    assert thread["replies"][0]["text"] == "A calm answer"
    log = await client.get(f"/api/v1/markets/{market.pk}/events")
    assert "Rude" not in log.text


async def test_one_edits_ones_own_and_reports_others(client, market, alice, bob, bobs):
    comment = (await say(client, market, bobs)).json()
    address = f"/api/v1/comments/{comment['id']}"
    edited = await client.patch(address, headers=bobs, json={"text": "It rises."})
    assert edited.json()["text"] == "It rises."
    assert edited.json()["edited_at"]
    alices = bearer(await in_thread(key_for, alice, "trade"))
    refused = await client.patch(address, headers=alices, json={"text": "Hers"})
    assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
    for status in (204, 409):
        told = await client.post(f"{address}/report", headers=alices, json={"reason": "Rude"})
        assert told.status_code == status


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"text": "x" * 100_000}, 422, "validation_error"),
        ({"text": "https://example.org"}, 422, "validation_error"),
        ({"text": "Why?", "parent_id": 2**62}, 404, "not_found"),
        ({"text": "Why?", "more": 1}, 422, "validation_error"),
        ({}, 422, "validation_error"),
    ],
)
async def test_bad_input_is_answered_with_a_sentence(client, market, bobs, body, status, code):
    answer = await client.post(path_of(market), headers=bobs, json=body)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


async def test_the_sixth_in_a_minute_is_told_when_to_come_back(client, market, bobs):
    for number in range(5):
        await say(client, market, bobs, f"Reason {number}")
    refused = await say(client, market, bobs, "Reason 6")
    assert refused.status_code == 429
    assert 1 <= int(refused.headers["Retry-After"]) <= 60
    assert "5 comments in a minute" in refused.json()["detail"]


async def test_who_follows_the_market_hears_of_it_without_the_words(server, market, bob):
    async with connected(server) as socket:
        await socket.ask(cmd="subscribe", markets=[market.pk])
        await socket.next()
        comment, _ = await in_thread(
            comments.write, market_id=market.pk, author=bob, said="The glass falls.", now=NOW
        )
        heard = await socket.next()
    assert (heard["type"], heard["comment_id"]) == ("comment.added", comment.pk)
    assert "glass" not in str(heard)
