"""Log lines: one for each request, with its id, and no secret in any."""

import asyncio
import json
import logging
import subprocess
import sys

import pytest
import structlog

from markets.infra import request_context
from markets.infra.threads import in_thread
from tests.support.people import bearer, key_for


def lines(caplog):
    return [r.msg for r in caplog.records if r.name == "bellwether"]


@pytest.fixture(autouse=True)
def everything(caplog):
    caplog.set_level(logging.INFO)


async def test_a_request_has_one_line_with_its_status_and_duration(client, market, caplog):
    await client.get(f"/api/v1/markets/{market.pk}")
    (line,) = lines(caplog)
    assert (line["event"], line["level"], line["status"], line["method"]) == (
        "request_completed",
        "info",
        200,
        "GET",
    )
    assert line["path"] == f"/api/v1/markets/{market.pk}"
    assert line["duration_ms"] > 0
    assert line["timestamp"].endswith("Z")


async def test_the_request_id_is_taken_if_sane_and_always_returned(client, caplog):
    given = await client.get("/healthz", headers={"X-Request-ID": "abc-123"})
    assert given.headers["X-Request-ID"] == "abc-123" == lines(caplog)[0]["request_id"]
    for odd in ("x" * 65, 'a"b', "a b", "é".encode(), ""):
        made = await client.get("/healthz", headers={"X-Request-ID": odd})
        assert len(made.headers["X-Request-ID"]) == 32


async def test_the_context_is_gone_after_the_request(client):
    await client.get("/healthz")
    assert structlog.contextvars.get_contextvars() == {}


async def test_requests_that_interleave_keep_their_own_context(client, market, caplog, monkeypatch):
    from markets.selectors import catalogue

    read = catalogue.listed

    def talkative(**facts):
        structlog.get_logger("bellwether").info("inside")
        return read(**facts)

    monkeypatch.setattr(catalogue, "listed", talkative)
    ids = [f"request-{n}" for n in range(10)]
    urls = [
        f"/api/v1/markets/?limit={n + 1}" for n in range(10)
    ]  # so that none is answered from memory
    answers = await asyncio.gather(
        *(
            client.get(url, headers={"X-Request-ID": one})
            for url, one in zip(urls, ids, strict=True)
        )
    )
    assert [answer.headers["X-Request-ID"] for answer in answers] == ids
    for one in ids:
        assert {line["event"] for line in lines(caplog) if line["request_id"] == one} == {
            "inside",
            "request_completed",
        }


async def test_a_failure_has_one_line_with_the_error(client, market, caplog, monkeypatch):
    def broken(*_args, **_kwargs):
        raise RuntimeError("it broke")

    monkeypatch.setattr("markets.selectors.markets.get", broken)
    monkeypatch.setattr("markets.web.pages.home.catalogue.listed", broken)
    for path in (f"/api/v1/markets/{market.pk}", "/"):
        caplog.clear()
        try:
            await client.get(path)
        except RuntimeError:
            pytest.fail("the error must become an answer")
        (line,) = lines(caplog)
        assert (line["event"], line["status"], line["error"]) == (
            "request_failed",
            500,
            "RuntimeError('it broke')",
        )


async def test_no_secret_is_ever_in_a_line(client, alice, caplog):
    secret = await in_thread(key_for, alice)
    await client.get("/api/v1/me/keys/", headers={**bearer(secret), "Cookie": "sessionid=crumbs"})
    structlog.get_logger("bellwether").info(
        "careless", key=f"the key is {secret}", password="hunter2", authorization=f"Bearer {secret}"
    )
    logging.getLogger("other").warning("careless %s", f"redis://:hunter2@host/0 {secret}")
    (ours,) = [handler for handler in logging.getLogger().handlers if handler.name == "out"]
    printed = "\n".join(ours.format(record) for record in caplog.records)
    assert "careless" in printed
    for word in (secret, "hunter2", "crumbs"):
        assert word not in printed


def test_a_task_carries_the_id_of_the_request_that_caused_it():
    headers = {}
    with structlog.contextvars.bound_contextvars(request_id="the-request"):
        from config.celery import send_request_id

        send_request_id(headers=headers)
    assert headers == {"bellwether_request_id": "the-request"}


@pytest.mark.parametrize(("shape", "reads"), [("json", True), ("console", False)])
def test_lines_are_json_in_production_and_readable_in_development(shape, reads):
    program = "from config import logs; import structlog; logs.configure(json=%r, level='INFO'); structlog.get_logger('x').info('hello', n=1)"
    out = subprocess.run(
        [sys.executable, "-c", program % (shape == "json")],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    if reads:
        line = json.loads(out)
        assert (line["event"], line["level"], line["n"], line["logger"]) == (
            "hello",
            "info",
            1,
            "x",
        )
    else:
        assert "hello" in out
        assert not out.startswith("{")


def test_what_went_wrong_outside_a_request_is_not_kept():
    request_context.note_failure(RuntimeError())
    assert request_context._failure.get() is None
