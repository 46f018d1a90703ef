"""Managing markets through the API."""

import pytest

from markets.infra.threads import in_thread
from markets.models import Market
from markets.web.api import staff as staff_api
from tests.support.clock import NOW
from tests.support.people import bearer, key_for


async def test_a_market_is_created(staff):
    answer = await staff.post(
        "/api/v1/markets/",
        json={"name": "Will it rain?", "category": "Weather", "status": "active"},
    )
    assert answer.status_code == 201
    created = answer.json()
    assert [outcome["label"] for outcome in created["outcomes"]] == ["Yes", "No"]
    assert answer.headers["Location"] == f"/api/v1/markets/{created['id']}"
    assert (await staff.get(answer.headers["Location"])).json() == created


async def test_an_empty_name_is_422(staff):
    answer = await staff.post("/api/v1/markets/", json={"name": ""})
    assert answer.status_code == 422
    problem = answer.json()
    assert (problem["code"], problem["errors"][0]["field"]) == ("validation_error", "name")


async def test_a_route_calls_the_service_and_nothing_else(staff, market, monkeypatch):
    """The seed's pattern: a stand-in for the service shows what the route itself does."""
    calls = []

    def stand_in(**facts):
        calls.append(facts)
        return Market.objects.get(pk=market.pk)

    monkeypatch.setattr(staff_api.lifecycle, "pause_market", stand_in)
    answer = await staff.post(f"/api/v1/markets/{market.pk}/pause", headers={"If-Match": '"7"'})
    assert answer.status_code == 200
    assert [
        (call["market_id"], call["expected_version"], call["actor"].username) for call in calls
    ] == [(market.pk, 7, "alice")]


async def test_priors_become_prices(staff):
    outcomes = [{"label": "A", "probability": "0.7"}, {"label": "B"}, {"label": "C"}]
    created = (
        await staff.post("/api/v1/markets/", json={"name": "Which?", "outcomes": outcomes})
    ).json()
    assert [outcome["price"] for outcome in created["outcomes"]] == ["0.7", "0.15", "0.15"]


async def test_an_edit_needs_the_version_it_started_from(staff, market):
    url = f"/api/v1/markets/{market.pk}"
    without = await staff.patch(url, json={"name": "Snow?"})
    assert (without.status_code, without.json()["code"]) == (428, "precondition_required")
    edited = await staff.patch(url, json={"name": "Snow?"}, headers={"If-Match": '"1"'})
    assert (edited.status_code, edited.json()["name"], edited.json()["version"]) == (
        200,
        "Snow?",
        2,
    )
    stale = await staff.patch(url, json={"name": "Hail?"}, headers={"If-Match": '"1"'})
    assert (stale.status_code, stale.json()["code"]) == (412, "version_conflict")
    assert (await staff.get(url)).json()["name"] == "Snow?"


async def test_an_edit_can_clear_what_is_optional_and_nothing_else(staff, make_market):
    market = await in_thread(make_market, category="Weather")
    url, match = f"/api/v1/markets/{market.pk}", {"If-Match": "*"}
    assert (await staff.patch(url, json={"category": None}, headers=match)).status_code == 422
    match = {"If-Match": "1"}
    assert (await staff.patch(url, json={"name": None}, headers=match)).status_code == 422
    assert (await staff.patch(url, json={"category": None}, headers=match)).json()[
        "category"
    ] is None


async def test_the_life_of_a_market(staff):
    market = (await staff.post("/api/v1/markets/", json={"name": "Will it rain?"})).json()
    url = f"/api/v1/markets/{market['id']}"
    for verb, status in {"open": "active", "pause": "paused", "close": "closed"}.items():
        assert (await staff.post(f"{url}/{verb}")).json()["status"] == status
    again = await staff.post(f"{url}/close")
    assert (again.status_code, again.json()["code"]) == (409, "illegal_transition")
    wrong = await staff.post(f"{url}/resolve", json={"outcome_id": 1, "payouts": []})
    assert wrong.status_code == 422
    settle = {
        "outcome_id": market["outcomes"][0]["id"],
        "note": "It poured.",
        "evidence_url": "https://example.org/rain",
        "known_at": "2026-03-01T13:00:00+01:00",
    }
    for wrong in ("2100-01-01T00:00:00Z", "0001-01-01T00:00:00+14:00", "yesterday"):
        refused = await staff.post(f"{url}/resolve", json={**settle, "known_at": wrong})
        assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "known_at")
    resolved = (await staff.post(f"{url}/resolve", json=settle)).json()
    assert resolved["status"] == "resolved"
    assert resolved["resolution"]["payouts"] == [
        {"outcome_id": settle["outcome_id"], "weight": "1"}
    ]
    assert resolved["resolution"]["evidence_url"] == settle["evidence_url"]
    assert resolved["resolution"]["known_at"] == "2026-03-01T12:00:00Z"
    reopened = (await staff.post(f"{url}/unresolve")).json()
    assert (reopened["status"], reopened["resolution"]) == ("closed", None)
    assert (await staff.post(f"{url}/cancel", json={"note": "Wrong question."})).json()[
        "status"
    ] == "cancelled"


@pytest.mark.parametrize("scopes", [(), ("read",), ("trade",), ("read", "trade")])
async def test_only_the_staff_scope_manages_markets(client, market, alice, scopes):
    headers = bearer(await in_thread(key_for, alice, *scopes)) if scopes else {}
    for method, path in [
        ("POST", "/markets/"), ("PATCH", f"/markets/{market.pk}"), ("POST", f"/markets/{market.pk}/open"),
        ("POST", f"/markets/{market.pk}/cancel"), ("POST", "/markets/import"), ("POST", "/reports/"), ("GET", "/reports/1"),
    ]:  # fmt: skip
        answer = await client.request(method, f"/api/v1{path}", headers=headers, json={})
        assert (answer.status_code, answer.json()["code"]) == (
            (403, "forbidden") if scopes else (401, "unauthenticated")
        )


async def test_who_stops_being_staff_loses_the_keys_power(staff, alice, market):
    alice.is_staff = False
    await in_thread(alice.save)
    answer = await staff.post(f"/api/v1/markets/{market.pk}/pause")
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")


async def test_an_import_through_the_api(staff):
    rows = [
        {"external_id": "x:1", "name": "Rain?"},
        {"external_id": "x:2", "name": "Snow?", "probability": 0.2},
    ]
    dry = await staff.post("/api/v1/markets/import?dry_run=true", json=rows)
    assert dry.json() == {"dry_run": True, "created": 2, "existing": 0, "ignored_columns": []}
    assert (await staff.get("/api/v1/markets/")).json()["items"] == []
    done = await staff.post("/api/v1/markets/import", json={"rows": rows})
    assert done.json()["created"] == 2
    csv = "external_id,name,colour\nx:2,Snow?,white\nx:3,Hail?,grey\n"
    more = await staff.post(
        "/api/v1/markets/import", content=csv, headers={"Content-Type": "text/csv"}
    )
    assert more.json() == {
        "dry_run": False,
        "created": 1,
        "existing": 1,
        "ignored_columns": ["colour"],
    }
    wrong = await staff.post(
        "/api/v1/markets/import",
        json=[{"external_id": "x:4", "name": "Fog?"}, {"external_id": "x:5", "name": ""}],
    )
    assert wrong.status_code == 422
    assert wrong.json()["errors"] == [
        {"row": 2, "field": "name", "message": "This must not be empty."}
    ]
    assert (await staff.get("/api/v1/markets/?slug=fog")).json()["items"] == []


async def test_what_staff_does_is_recorded_with_their_name(staff, market):
    await staff.post(f"/api/v1/markets/{market.pk}/pause")
    event = await in_thread(lambda: market.events.select_related("actor").last())
    assert (event.type, event.actor.username) == ("market.paused", "alice")
    assert event.at > NOW.replace(year=2020)
