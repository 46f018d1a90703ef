"""Which answers are kept in memory, and what a reader is given: the same bytes, and nothing of anybody in particular."""

import asyncio
import logging

import pytest

from markets.infra.threads import in_thread
from markets.web.api import answers
from markets.web.hot import layer
from markets.web.hot.memory import memory
from tests.support.hot import answers_from_memory, url
from tests.support.people import bearer, key_for
from tests.support.reactions import react_to_all


async def test_the_second_reader_is_answered_from_memory_with_the_same_bytes(client, market):
    first = await client.get(url(market))
    async with answers_from_memory() as hits:
        second = await client.get(url(market))
    assert hits == [1]
    assert second.content == first.content
    differing = {"x-request-id"}
    assert {k: v for k, v in second.headers.items() if k not in differing} == {
        k: v for k, v in first.headers.items() if k not in differing
    }
    assert second.headers["X-Request-ID"] != first.headers["X-Request-ID"]


@pytest.mark.parametrize(
    "path",
    [
        *(
            "markets/{}",
            "markets/{}/trades",
            "markets/{}/history",
            "markets/{}/history?points=9",
            "markets/{}/events",
        ),
        *("markets/", "markets/?sort=volume", "categories/", "tags/"),
    ],
)
async def test_every_public_read_has_the_tier_by_its_declaration(client, market, path):
    address = "/api/v1/" + path.format(market.pk)
    assert (await client.get(address)).status_code == 200
    async with answers_from_memory() as hits:
        assert (await client.get(address)).status_code == 200
    assert hits == [1]


async def test_pages_for_nobody_have_it_too(client, market):
    for address in ("/", f"/markets/{market.slug}"):
        await client.get(address)
        async with answers_from_memory() as hits:
            assert "Will it rain?" in (await client.get(address)).text
        assert hits == [1], address


async def test_an_answer_that_sets_a_cookie_is_not_kept(client, market, monkeypatch):
    answer = answers.public

    def with_cookie(*args, **facts):
        response = answer(*args, **facts)
        response.set_cookie("who", "somebody")
        return response

    monkeypatch.setattr(answers, "public", with_cookie)
    for _ in range(2):
        assert (await client.get(url(market))).cookies["who"] == "somebody"
        client.cookies.clear()
    assert not memory.entries


async def test_an_answer_that_is_too_large_passes_whole_and_is_not_kept(
    client, market, monkeypatch
):
    monkeypatch.setattr(layer, "MOST_ANSWER_BYTES", 10)
    for _ in range(2):
        assert (await client.get(url(market))).json()["id"] == market.pk
    assert not memory.entries
    assert not memory.making


async def test_a_page_with_other_parameters_is_not_kept(client, market):
    for number in range(3):
        assert (await client.get(f"/?colour={number}")).status_code == 200
        assert (await client.get(f"{market.get_absolute_url()}?colour={number}")).status_code == 200
    assert not memory.entries


async def test_of_repeated_parameters_the_order_matters(client, make_market):
    for name in ("Rain?", "Snow?"):
        await in_thread(make_market, name)
    await in_thread(react_to_all)
    for first, last in (("rain", "Snow"), ("snow", "Rain")):
        page = (await client.get(f"/?q={first}&q={last}")).text
        assert f"{last}?" in page


async def test_who_has_it_already_gets_304_from_memory(client, market):
    tag = (await client.get(url(market))).headers["ETag"]
    async with answers_from_memory() as hits:
        for given in (tag, f"W/{tag}", f'"other", {tag}', "*"):
            answer = await client.get(url(market), headers={"If-None-Match": given})
            assert (answer.status_code, answer.content, answer.headers["ETag"]) == (304, b"", tag)
            assert "X-Request-ID" in answer.headers
        assert (
            await client.get(url(market), headers={"If-None-Match": '"other"'})
        ).status_code == 200
    assert hits == [5]


async def test_head_is_get_without_the_body(client, market):
    cold = await client.head(url(market))
    full = await client.get(url(market))
    warm = await client.head(url(market))
    for answer in (cold, warm):
        assert (answer.status_code, answer.content) == (200, b"")
        assert answer.headers["Content-Length"] == str(len(full.content))
        assert answer.headers["ETag"] == full.headers["ETag"]


async def test_the_order_of_parameters_does_not_matter(client, market):
    await client.get("/api/v1/markets/?limit=5&sort=volume&status=active")
    async with answers_from_memory() as hits:
        await client.get("/api/v1/markets/?status=active&limit=5&sort=volume")
    assert hits == [1]
    assert len(memory.entries) == 1


async def test_what_is_not_public_or_not_an_answer_is_not_kept(client, market, make_market, bob):
    draft = await in_thread(make_market, "Draft?", status="draft")
    key = await in_thread(key_for, bob)
    for address in (
        url(draft),
        "/api/v1/markets/4711",
        "/api/v1/markets/?colour=red",
        "/api/v1/nothing",
        "/healthz",
        "/metrics",
        "/admin/login/",
    ):
        await client.get(address)
    await client.get("/api/v1/me", headers=bearer(key))
    await client.post(f"{url(market)}/quote", json={"outcome_id": 1, "side": "buy", "shares": "1"})
    assert not memory.entries
    assert not memory.making


async def test_unknown_ids_leave_nothing_behind(client, world):
    for first in range(0, 1000, 500):
        await asyncio.gather(
            *(client.get(f"/api/v1/markets/{10**9 + first + n}") for n in range(500))
        )
    assert not memory.entries
    assert not memory.making


async def test_a_question_mark_in_the_path_is_not_the_query(client, market):
    assert (await client.get(f"{url(market)}%3F")).status_code == 404
    assert (await client.get(url(market))).status_code == 200
    assert (await client.get(f"{url(market)}%3F")).status_code == 404


async def test_nothing_with_a_key_or_a_cookie_is_kept_or_served_from_memory(
    client, make_market, alice, bob
):
    public = await in_thread(make_market, "Public?")
    draft = await in_thread(make_market, "Secret?", status="draft")
    staff = bearer(await in_thread(key_for, alice, "read", "staff"))
    assert len((await client.get("/api/v1/markets/", headers=staff)).json()["items"]) == 2
    assert not memory.entries
    assert [m["id"] for m in (await client.get("/api/v1/markets/")).json()["items"]] == [public.pk]
    async with answers_from_memory() as hits:
        assert {
            m["id"] for m in (await client.get("/api/v1/markets/", headers=staff)).json()["items"]
        } == {public.pk, draft.pk}
        assert (
            await client.get(url(public), headers=bearer(await in_thread(key_for, bob)))
        ).headers["RateLimit-Limit"]
        assert (
            await client.get(url(public), headers=bearer("bw_00000000_wrong"))
        ).status_code == 401
        assert (
            await client.get(url(public), headers={"Cookie": "sessionid=nonsense"})
        ).status_code == 200
    assert hits == [0]


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Forwarded-For": "1.2.3.4"},
        {"X-Forwarded-Host": "evil.example"},
        {"X-Forwarded-Proto": "https"},
        {"X-Forwarded-Prefix": "/evil"},
        {"X-Original-URL": "/admin/"},
        {"X-HTTP-Method-Override": "DELETE"},
        {"Accept": "text/html"},
        {"Accept-Encoding": "gzip, br"},
        {"Accept-Language": "de"},
        {"Vary": "*"},
        {"Cache-Control": "no-store"},
        {"Range": "bytes=0-3"},
        {"If-Range": '"x"', "Range": "bytes=0-3"},
        {"If-Modified-Since": "Wed, 21 Oct 2037 07:28:00 GMT"},
        {"Origin": "https://evil.example"},
    ],
)
async def test_tricks_with_headers_neither_poison_nor_leak(client, market, headers):
    plain = (await client.get(url(market))).content
    memory.clear()
    poisoning = await client.get(url(market), headers=headers)
    assert (poisoning.status_code, poisoning.content) == (200, plain)
    after = await client.get(url(market))
    assert (after.status_code, after.content) == (200, plain)
    assert not {"evil", "gzip"} & set(" ".join(after.headers.values()).replace(".", " ").split())
    again = await client.get(url(market), headers=headers)
    assert (again.status_code, again.content) == (200, plain)


async def test_a_wrong_host_is_refused_hot_or_not(client, market):
    await client.get(url(market))
    for host in ("evil.example", "", "a b", "127.0.0.1@evil.example"):
        assert (await client.get(url(market), headers={"Host": host})).status_code == 400, host
    assert (await client.get(url(market))).status_code == 200


async def test_a_request_id_is_taken_if_it_is_sane(client, market):
    await client.get(url(market))
    assert (await client.get(url(market), headers={"X-Request-ID": "mine-1"})).headers[
        "X-Request-ID"
    ] == "mine-1"
    for wild in ("x" * 65, "a b", "<script>"):
        assert (await client.get(url(market), headers={"X-Request-ID": wild})).headers[
            "X-Request-ID"
        ] != wild


async def test_one_in_so_many_is_logged_and_the_metrics_count_all(
    client, market, monkeypatch, caplog
):
    from config.asgi import application

    await client.get(url(market))
    for every, lines in ((1, 20), (5, 4)):
        monkeypatch.setattr(application, "log_every", every)
        caplog.clear()
        with caplog.at_level(logging.INFO, "bellwether"):
            for _ in range(20):
                await client.get(url(market))
        logged = [r.msg for r in caplog.records if isinstance(r.msg, dict) and r.msg.get("hot")]
        assert len(logged) == lines
        assert {"request_id", "path", "status"} <= set(logged[0])
    text = (await client.get("/metrics")).text
    assert f"bellwether_hot_hits_total {float(memory.hits)}" in text


async def test_with_https_only_a_plain_request_is_redirected_hot_or_not(
    client, market, monkeypatch
):
    from config.asgi import application

    await client.get(url(market))
    monkeypatch.setattr(application, "secure_only", True)
    async with answers_from_memory() as hits:
        await client.get(url(market))
    assert hits == [0]
