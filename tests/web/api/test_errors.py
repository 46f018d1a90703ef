"""Bad input: a clear problem each time, and nothing half done."""

import base64
import json
from urllib.parse import urlencode

import pytest

from markets.infra.threads import in_thread
from markets.models import Market
from tests.support.people import sign_in
from tests.support.problems import check_problem


def cursor_url(*facts, **query):
    cursor = base64.urlsafe_b64encode(json.dumps(facts).encode()).decode().rstrip("=")
    return "/api/v1/markets/?" + urlencode({**query, "cursor": cursor})


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/api/v1/nothing", 404, "not_found"),
        ("GET", "/api/v1/markets", 404, "not_found"),
        ("GET", "/api/v1/markets/4711", 404, "not_found"),
        ("GET", "/api/v1/markets/abc", 404, "not_found"),
        ("GET", "/api/v1/markets/0", 422, "validation_error"),
        ("GET", f"/api/v1/markets/{10**30}", 422, "validation_error"),
        ("GET", "/api/v1/markets/4711/events", 404, "not_found"),
        ("DELETE", "/api/v1/markets/", 405, "method_not_allowed"),
        ("PUT", "/api/v1/markets/1", 405, "method_not_allowed"),
        ("GET", "/api/v1/me/keys/", 401, "unauthenticated"),
        ("GET", "/api/v1/markets/?limit=0", 422, "validation_error"),
        ("GET", "/api/v1/markets/?limit=1000000000", 422, "validation_error"),
        ("GET", "/api/v1/markets/?sort=best", 422, "validation_error"),
        ("GET", "/api/v1/markets/?status=open", 422, "validation_error"),
        ("GET", "/api/v1/markets/?colour=red", 422, "validation_error"),
        ("GET", "/api/v1/markets/?search=" + "x" * 201, 422, "validation_error"),
        ("GET", "/api/v1/markets/?cursor=banana", 422, "validation_error"),
        ("GET", "/api/v1/markets/?cursor=WyItaWQiXQ", 422, "validation_error"),
        ("GET", "/api/v1/markets/?cursor=WyItaWQiLCAieCJd", 422, "validation_error"),
        ("GET", "/api/v1/markets/?cursor=WyItaWQiLCAxZTQwMF0", 422, "validation_error"),
        ("GET", "/api/v1/markets/?cursor=" + "W1tb" * 100, 422, "validation_error"),
        ("GET", "/api/v1/markets/?category=%00", 400, "bad_request"),
        ("GET", "/api/v1/markets/?search=a%00b", 400, "bad_request"),
        ("GET", "/api/v1/markets/?limit=1&limit=2", 422, "validation_error"),
        ("GET", "/api/v1/markets/4711?x=1", 422, "validation_error"),
        ("GET", "/api/v1/categories/?limit=1", 422, "validation_error"),
        ("GET", "/api/v1/markets/4711?" + "&" * 1100, 400, "bad_request"),
        ("GET", "/api/v1/markets/4711/trades?" + "&" * 1100, 400, "bad_request"),
        ("GET", cursor_url("-score,-id", 10**340, 1, search="will"), 422, "validation_error"),
        ("GET", cursor_url("-score,-id", float("nan"), 1, search="will"), 422, "validation_error"),
        (
            "GET",
            cursor_url("-updated_at,-id", "0001-01-01T00:00:00+23:59", 1, sort="activity"),
            422,
            "validation_error",
        ),
        (
            "GET",
            cursor_url("-updated_at,-id", "2026-01-01T00:00:00", 1, sort="activity"),
            422,
            "validation_error",
        ),
        ("GET", cursor_url("-id", 2**63), 422, "validation_error"),
        ("GET", cursor_url("-id", True), 422, "validation_error"),
    ],
)
async def test_a_wrong_address_or_question(client, method, path, status, code):
    check_problem(await client.request(method, path), status, code)


@pytest.mark.parametrize(
    "body",
    [
        b"", b"{", b"[]", b"null", b'"name"', b"\xff\xfe", b'{"name": "x"', b"[" * 100_000,
        b'{"name": "Rain?", "colour": "red"}', b'{"name": 7}', b'{"name": null}', b'{"name": "nul \\u0000"}',
        b'{"name": "lone \\ud800"}', b'{"name": "Rain?", "tags": "wet"}', b'{"name": "Rain?", "liquidity": 100}',
        b'{"name": "Rain?", "liquidity": "NaN"}', b'{"name": "Rain?", "liquidity": "-1"}', b'{"name": "Rain?", "liquidity": "1e9"}',
        b'{"name": "Rain?", "close_at": "tomorrow"}', b'{"name": "Rain?", "close_at": "2030-01-01T00:00:00"}',
        b'{"name": "Rain?", "close_at": "99999-01-01T00:00:00Z"}', b'{"name": "Rain?", "close_at": 1e400}',
        b'{"name": "Rain?", "open_at": "2031-01-01T00:00:00Z", "close_at": "2030-01-01T00:00:00Z"}',
        b'{"name": "Rain?", "status": "resolved"}', b'{"name": "Rain?", "outcomes": []}',
        b'{"name": "Rain?", "outcomes": [{"label": "Yes"}]}', b'{"name": "Rain?", "outcomes": [{"label": "A"}, {"label": " a "}]}',
        b'{"name": "Rain?", "outcomes": [{"label": "A", "probability": "0"}, {"label": "B"}]}',
        json.dumps({"name": "Rain?", "outcomes": [{"label": str(i)} for i in range(200)]}).encode(),
        json.dumps({"name": "x" * 301}).encode(), json.dumps({"name": "Rain?", "description": "x" * 50_001}).encode(),
    ],
)  # fmt: skip
async def test_a_market_that_makes_no_sense_is_not_created(staff, body):
    answer = await staff.post(
        "/api/v1/markets/", content=body, headers={"Content-Type": "application/json"}
    )
    assert answer.status_code in {400, 422}, answer.text
    check_problem(
        answer,
        answer.status_code,
        "bad_request" if answer.status_code == 400 else "validation_error",
    )
    assert await in_thread(Market.objects.count) == 0


async def test_a_body_of_ten_megabytes_is_refused(staff):
    for content_type in ("application/json", "text/csv"):
        answer = await staff.post(
            "/api/v1/markets/import",
            content=b" " * 10_000_000,
            headers={"Content-Type": content_type},
        )
        check_problem(answer, 413, "too_large")


@pytest.mark.parametrize(
    "name",
    ["🌧️ pluie — déjà?", "هل ستمطر غدا؟", "\u202eevil\u202c text?", "<script>alert(1)</script>"],
)
async def test_unusual_names_are_kept_as_written(staff, name):
    created = await staff.post("/api/v1/markets/", json={"name": name})
    assert created.json()["name"] == name


@pytest.mark.parametrize("match", ["banana", "-1", '"1', '"1", "2"', "1" * 30, ""])
async def test_an_if_match_that_is_no_version(staff, market, match):
    answer = await staff.patch(
        f"/api/v1/markets/{market.pk}", json={"name": "Snow?"}, headers={"If-Match": match}
    )
    check_problem(answer, 422, "validation_error")


@pytest.mark.parametrize(
    "key", ["banana", "bw_00000000_" + "x" * 43, "", "bw_" + "é" * 8, "x" * 10_000]
)
async def test_a_key_that_does_not_work_is_never_an_anonymous_call(client, market, key):
    headers = {"Authorization": f"Bearer {key}".encode()}
    check_problem(
        await client.get(f"/api/v1/markets/{market.pk}", headers=headers), 401, "unauthenticated"
    )


async def test_a_failure_of_ours_says_so_and_nothing_of_the_inside(client, market, monkeypatch):
    from markets.selectors import markets

    def broken(*_args, **_kwargs):
        raise RuntimeError("secret detail")

    monkeypatch.setattr(markets, "get", broken)
    answer = await client.get(f"/api/v1/markets/{market.pk}")
    problem = check_problem(answer, 500, "internal_error")
    assert "secret detail" not in str(problem)


@pytest.mark.parametrize(
    "body",
    [
        b'{"name": "x", "scopes": [%s]}' % b",".join([b"1"] * 200_000),
        b"{%s}" % b",".join(b'"x%d":1' % i for i in range(100_000)),
    ],
)
async def test_thousands_of_mistakes_do_not_become_a_huge_answer(staff, body):
    answer = await staff.post(
        "/api/v1/me/keys/", content=body, headers={"Content-Type": "application/json"}
    )
    check_problem(answer, 422, "validation_error")
    assert len(answer.content) < 20_000


@pytest.mark.parametrize(
    "content_type",
    [
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/xml",
        "text/plain",
    ],
)
async def test_only_json_and_csv_are_read(client, alice, content_type):
    await sign_in(client, "alice")
    headers = {"Content-Type": content_type, "X-CSRFToken": client.cookies["csrftoken"]}
    for path in ("/api/v1/markets/", "/api/v1/markets/import"):
        check_problem(
            await client.post(path, content=b'{"name": "x"}', headers=headers),
            415,
            "unsupported_media_type",
        )


@pytest.mark.parametrize("path", ["/", "/admin/", "/api/v1/markets/", "/api/v1/me/keys/"])
async def test_a_cookie_with_nul_is_a_bad_request(client, path):
    answer = await client.get(path, headers={"Cookie": 'sessionid="abcdefgh\\000"'})
    assert answer.status_code == 400


async def test_head_is_get_without_a_body(client, market):
    url = f"/api/v1/markets/{market.pk}"
    whole, head = await client.get(url), await client.head(url)
    assert (head.status_code, head.content) == (200, b"")
    assert (head.headers["ETag"], head.headers["Content-Length"]) == (
        whole.headers["ETag"],
        str(len(whole.content)),
    )


async def test_an_authorization_that_is_no_bearer_key_is_refused(client, market):
    for header in ("Token abc", "abc", "Bearer\tabc", "Basic YTpi"):
        answer = await client.get(f"/api/v1/markets/{market.pk}", headers={"Authorization": header})
        check_problem(answer, 401, "unauthenticated")


async def test_a_rejected_body_of_an_action_changes_nothing(staff, market):
    answer = await staff.post(f"/api/v1/markets/{market.pk}/pause", json={"colour": "red"})
    check_problem(answer, 422, "validation_error")


async def test_a_resolution_that_contradicts_itself_is_refused(staff, market):
    yes, no = await in_thread(lambda: [outcome.pk for outcome in market.outcomes.all()])
    weights = [
        {"outcome_id": yes, "weight": "0.9"},
        {"outcome_id": yes, "weight": "0.4"},
        {"outcome_id": no, "weight": "0.6"},
    ]
    url = f"/api/v1/markets/{market.pk}/resolve"
    check_problem(await staff.post(url, json={"payouts": weights}), 422, "validation_error")
    for address in (
        "http://a\u0000",
        "http://a\ud800",
        "http://user:pw@a.org",
        "http://a.org\\@b.org",
        "http://a.org/\u202e",
        "ftp://a.org",
    ):
        body = json.dumps({"outcome_id": yes, "evidence_url": address})
        answer = await staff.post(url, content=body, headers={"Content-Type": "application/json"})
        check_problem(answer, answer.status_code, answer.json()["code"])
        assert answer.status_code in {400, 422}
    check_problem(await staff.post(url, json={"outcome_id": 0}), 422, "validation_error")


async def test_a_read_with_a_staff_key_is_for_its_caller_alone(staff, market):
    answer = await staff.get(f"/api/v1/markets/{market.pk}")
    assert answer.headers["Cache-Control"].startswith("private")
