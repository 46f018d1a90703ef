"""What is compressed, for whom, and that a tag and a HEAD still mean the same."""

import gzip

import httpx
import pytest

from markets.infra.threads import in_thread
from markets.web.compression import LEAST_BYTES, accepts_gzip
from markets.web.hot.memory import memory
from tests.support.hot import answers_from_memory, url
from tests.support.people import bearer, key_for

ZIPPED = {"Accept-Encoding": "br, gzip;q=0.8"}
PLAIN = {"Accept-Encoding": "identity"}


@pytest.fixture
def long_market(make_market):
    return make_market(description="Rain is what falls. " * 200)


async def raw(client, address, **headers):
    """Answer and body as they came over the wire."""
    async with client.stream("GET", address, headers=headers) as answer:
        return answer, b"".join([part async for part in answer.aiter_raw()])


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("gzip", True), ("GZIP", True), ("deflate, gzip;q=1.0, *;q=0.5", True), ("gzip; q=0.001", True),
        ("", False), ("identity", False), ("br", False), ("gzip;q=0", False), ("gzip; q=0.000", False), ("x-gzipped", False),
    ],
)  # fmt: skip
def test_who_takes_gzip(given, expected):
    assert accepts_gzip(given.encode()) is expected


async def test_hot_and_cold_an_answer_is_compressed_for_who_takes_it(client, long_market):
    for address in (url(long_market), long_market.get_absolute_url(), "/api/v1/markets/"):
        await client.get(address)  # by now the market's own event has been heard
        memory.clear()
        cold, cold_body = await raw(client, address, **ZIPPED)
        async with answers_from_memory() as hits:
            hot, hot_body = await raw(client, address, **ZIPPED)
            plain, plain_body = await raw(client, address, **PLAIN)
        assert hits == [2], "both are made once"
        assert hot_body == cold_body
        assert gzip.decompress(hot_body) == plain_body
        assert len(hot_body) < len(plain_body)
        for answer, body in ((cold, cold_body), (hot, hot_body)):
            assert answer.headers["Content-Encoding"] == "gzip"
            assert answer.headers["Content-Length"] == str(len(body))
        assert "Content-Encoding" not in plain.headers
        for answer in (cold, hot, plain):
            assert "Accept-Encoding" in answer.headers["Vary"]


async def test_who_made_it_for_others_with_gzip_gets_what_they_asked_for(client, long_market):
    _, plain_body = await raw(client, url(long_market), **PLAIN)
    zipped, body = await raw(client, url(long_market), **ZIPPED)
    assert zipped.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(body) == plain_body


async def test_the_tag_of_a_compressed_answer_is_weak_and_gives_304(client, long_market):
    address = url(long_market)
    strong = (await client.get(address, headers=PLAIN)).headers["ETag"]
    for clear in (True, False):
        weak = (await client.get(address, headers=ZIPPED)).headers["ETag"]
        assert weak == f"W/{strong}"
        for tag in (weak, strong):
            for how, told in ((ZIPPED, weak), (PLAIN, strong)):
                if clear:
                    memory.clear()
                answer, body = await raw(client, address, **how, **{"If-None-Match": tag})
                assert (answer.status_code, body, answer.headers["ETag"]) == (304, b"", told)
                assert not {"content-encoding", "content-length"} & set(answer.headers)
                assert "Accept-Encoding" in answer.headers["Vary"]


async def test_a_head_has_the_headers_of_its_get(client, long_market):
    for how in (ZIPPED, PLAIN):
        full, body = await raw(client, url(long_market), **how)
        head = await client.head(url(long_market), headers=how)
        assert head.content == b""
        for name in ("Content-Length", "Content-Encoding", "ETag", "Vary", "Content-Type"):
            assert head.headers.get(name) == full.headers.get(name), name
        assert head.headers["Content-Length"] == str(len(body))
    memory.clear()
    cold = await client.head(url(long_market), headers=ZIPPED)
    assert (cold.content, cold.headers["Content-Encoding"]) == (b"", "gzip")


async def test_what_is_small_or_no_text_or_a_stream_is_left_alone(client, market, server):
    small, body = await raw(client, url(market), **ZIPPED)
    assert "Content-Encoding" not in small.headers
    assert len(body) < LEAST_BYTES
    address = f"{server.url}/api/v1/markets/stream"
    async with (
        httpx.AsyncClient() as browser,
        browser.stream("GET", address, headers=ZIPPED) as stream,
    ):
        assert "Content-Encoding" not in stream.headers


async def test_a_personal_answer_is_compressed_with_a_length_that_varies(client, long_market, bob):
    key = bearer(await in_thread(key_for, bob))
    lengths = set()
    for _ in range(20):
        answer, body = await raw(client, url(long_market), **ZIPPED, **key)
        assert answer.headers["Content-Encoding"] == "gzip"
        assert len(gzip.decompress(body)) > 4000
        lengths.add(len(body))
    assert len(lengths) > 1
    assert not memory.entries
    plain, body = await raw(client, url(long_market), **PLAIN, **key)
    assert "Content-Encoding" not in plain.headers


async def test_pages_that_are_not_kept_are_compressed_too(client, long_market):
    answer, body = await raw(client, "/?colour=1", **ZIPPED)
    assert answer.headers["Content-Encoding"] == "gzip"
    assert b"Will it rain?" in gzip.decompress(body)
    assert not memory.entries
    login, _ = await raw(client, "/account/login/", **ZIPPED)
    assert login.headers["Content-Encoding"] == "gzip"
