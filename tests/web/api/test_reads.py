"""Reading the catalogue through the API."""

from datetime import timedelta

import pytest

from markets.domain.text import OutcomeDraft
from markets.infra.threads import in_thread
from markets.services import catalogue, lifecycle
from tests.support.clock import LATER, NOW
from tests.support.people import bearer, key_for
from tests.support.reactions import react_to_all

FIELDS = [
    "id",
    "slug",
    "name",
    "description",
    "resolution_criteria",
    "source_url",
    "status",
    "category",
    "tags",
    "open_at",
    "close_at",
    "created_at",
    "updated_at",
    "outcomes",
    "liquidity",
    "volume",
    "volume_24h",
    "trade_count",
    "trader_count",
    "seq",
    "version",
    "resolution",
]


async def test_a_market_has_the_fields_of_the_contract(client, market):
    answer = await client.get(f"/api/v1/markets/{market.pk}")
    assert answer.status_code == 200
    found = answer.json()
    assert list(found) == FIELDS
    assert found["outcomes"] == [
        {"id": outcome["id"], "label": label, "price": "0.5", "shares": "0"}
        for outcome, label in zip(found["outcomes"], ["Yes", "No"], strict=True)
    ]
    assert (found["liquidity"], found["created_at"], found["seq"]) == (
        "100",
        "2026-03-01T12:00:00Z",
        1,
    )


async def test_an_empty_catalogue_is_an_empty_list(client):
    answer = await client.get("/api/v1/markets/")
    assert answer.json() == {"items": [], "next": None}


async def test_the_list_shows_what_is_public(client, make_market):
    await in_thread(make_market, "Public?")
    await in_thread(make_market, "Draft?", status="draft")
    answer = await client.get("/api/v1/markets/")
    assert [market["name"] for market in answer.json()["items"]] == ["Public?"]


async def test_staff_sees_drafts_and_others_do_not(client, staff_key, bob, make_market):
    draft = await in_thread(make_market, "Draft?", status="draft")
    anonymous = await client.get(f"/api/v1/markets/{draft.pk}")
    reader = await client.get(
        f"/api/v1/markets/{draft.pk}", headers=bearer(await in_thread(key_for, bob))
    )
    alice = await client.get(f"/api/v1/markets/{draft.pk}", headers=bearer(staff_key))
    assert (anonymous.status_code, reader.status_code, alice.status_code) == (404, 404, 200)
    refused = await client.get("/api/v1/markets/?status=draft")
    listed = await client.get("/api/v1/markets/?status=draft", headers=bearer(staff_key))
    assert (refused.status_code, len(listed.json()["items"])) == (403, 1)
    assert (await client.get(f"/api/v1/markets/{draft.pk}/events")).status_code == 404


@pytest.mark.parametrize("sort", ["newest", "closing", "volume", "activity"])
async def test_every_order_pages_through_all_markets_once(client, make_market, sort):
    for number in range(7):
        closes = LATER + timedelta(days=number % 3)
        await in_thread(
            make_market,
            f"Market {number}?",
            close_at=closes,
            now=NOW + timedelta(minutes=number % 2),
        )
    seen, cursor = [], ""
    while cursor is not None:
        page = (
            await client.get(
                f"/api/v1/markets/?sort={sort}&limit=2" + (f"&cursor={cursor}" if cursor else "")
            )
        ).json()
        seen += [market["id"] for market in page["items"]]
        cursor = page["next"]
    whole = (await client.get(f"/api/v1/markets/?sort={sort}")).json()["items"]
    assert len(set(seen)) == 7
    assert seen == [market["id"] for market in whole]


async def test_a_page_does_not_shift_when_markets_are_added(client, make_market):
    for number in range(4):
        await in_thread(make_market, f"Market {number}?")
    first = (await client.get("/api/v1/markets/?limit=2")).json()
    await in_thread(make_market, "Newcomer?")
    second = (await client.get(f"/api/v1/markets/?limit=2&cursor={first['next']}")).json()
    assert [market["name"] for market in second["items"]] == ["Market 1?", "Market 0?"]


async def test_filters_narrow_the_list(client, make_market):
    await in_thread(make_market, "Rain?", category="Weather", tags=["Wet", "Soon"])
    paused = await in_thread(make_market, "Goals?", category="Sport")
    await in_thread(lifecycle.pause_market, market_id=paused.pk, actor=None, now=NOW)
    for query, name in {
        "category=weather": "Rain?", "tag=wet": "Rain?", "status=paused": "Goals?", "slug=goals": "Goals?", "category=sport": "Goals?"
    }.items():  # fmt: skip
        found = (await client.get(f"/api/v1/markets/?{query}")).json()["items"]
        assert [market["name"] for market in found] == [name], query


async def test_categories_and_tags_are_counted_without_drafts(client, make_market):
    await in_thread(make_market, "Rain?", category="Weather", tags=["Wet"])
    await in_thread(make_market, "Snow?", category="Weather", tags=["Wet", "Cold"])
    await in_thread(make_market, "Secret?", category="Weather", status="draft")
    categories = (await client.get("/api/v1/categories/")).json()
    assert categories == {
        "items": [{"slug": "weather", "name": "Weather", "markets": 2}],
        "next": None,
    }
    tags = (await client.get("/api/v1/tags/")).json()["items"]
    assert [(tag["slug"], tag["markets"]) for tag in tags] == [("cold", 1), ("wet", 2)]


async def test_search_ranks_completes_and_forgives(client, make_market):
    def write():
        make_market("Will the election be held in spring?", description="Weather is not the point.")
        make_market("Will the weather be fine on election day?", tags=["Sun"])
        make_market("Who scores first?", outcomes=[OutcomeDraft("Zoë"), OutcomeDraft("Nobody")])
        react_to_all()

    await in_thread(write)

    async def found(text):
        return [
            market["name"]
            for market in (await client.get("/api/v1/markets/", params={"search": text})).json()[
                "items"
            ]
        ]

    spring, fine, scores = (
        "Will the election be held in spring?", "Will the weather be fine on election day?", "Who scores first?"
    )  # fmt: skip
    assert await found("weather") == [fine, spring], "the name weighs more than the description"
    assert set(await found("elect")) == {spring, fine}, "a prefix"
    assert await found("weath") == [fine, spring], "a word that is not finished"
    assert set(await found("electoin")) == {spring, fine}, "a typo"
    assert await found("spirng") == [spring], "letters that changed places"
    assert set(await found("Wether electoin")) == {spring, fine}, "typos in each word"
    assert await found("electoin sunn") == [fine], "typos in a name and in a tag"
    assert await found("electoin xylophone") == [], "a word that resembles none is not left out"
    assert await found("will the") == [fine, spring], (
        "words that say nothing are looked for in names"
    )
    assert await found("who the") == []
    assert await found("zoe") == [scores], "an outcome's label, without its accent"
    assert await found("sun") == [fine], "a tag"
    assert await found("& | ! :* ()") == []
    assert await found("'; DROP TABLE markets_market; --") == []


async def test_search_pages_through_its_results(client, make_market):
    def write():
        for number in range(5):
            make_market(f"Will it rain {'again ' * number}?")
        react_to_all()

    await in_thread(write)
    seen, cursor = [], ""
    while cursor is not None:
        page = (
            await client.get(
                "/api/v1/markets/?search=rain&limit=2" + (f"&cursor={cursor}" if cursor else "")
            )
        ).json()
        seen += [market["id"] for market in page["items"]]
        cursor = page["next"]
    assert len(seen) == len(set(seen)) == 5


async def test_a_sorted_search_shows_all_that_match_and_a_ranked_one_the_newest(
    client, make_market, monkeypatch
):
    from markets.selectors import search

    def write():
        for number in range(5):
            make_market(f"Will it rain on day {number}?")
        react_to_all()

    monkeypatch.setattr(search, "MOST_RANKED", 3)
    await in_thread(write)
    ranked = (await client.get("/api/v1/markets/", params={"search": "rain"})).json()["items"]
    in_order = (
        await client.get("/api/v1/markets/", params={"search": "rain", "sort": "newest"})
    ).json()["items"]
    assert (len(ranked), len(in_order)) == (3, 5)
    assert ranked == in_order[:3]


async def test_who_has_the_market_already_gets_304(client, market):
    first = await client.get(f"/api/v1/markets/{market.pk}")
    assert "Cache-Control" in first.headers
    for given in (first.headers["ETag"], f'"other", W/{first.headers["ETag"]}', "*"):
        again = await client.get(f"/api/v1/markets/{market.pk}", headers={"If-None-Match": given})
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["ETag"] == first.headers["ETag"]
    await in_thread(
        catalogue.edit_market, market_id=market.pk, actor=None, now=NOW, changes={"name": "Snow?"}
    )
    changed = await client.get(
        f"/api/v1/markets/{market.pk}", headers={"If-None-Match": first.headers["ETag"]}
    )
    assert (changed.status_code, changed.json()["name"]) == (200, "Snow?")


async def test_the_log_of_a_market_reads_oldest_first_and_hides_who_did_it(client, market, alice):
    await in_thread(lifecycle.pause_market, market_id=market.pk, actor=alice, now=NOW)
    await in_thread(lifecycle.open_market, market_id=market.pk, actor=alice, now=NOW)
    events = (await client.get(f"/api/v1/markets/{market.pk}/events")).json()["items"]
    assert [(event["seq"], event["type"]) for event in events] == [
        (1, "market.created"), (2, "market.paused"), (3, "market.opened")
    ]  # fmt: skip
    assert "alice" not in str(events)
    later = (await client.get(f"/api/v1/markets/{market.pk}/events?after_seq=2")).json()
    assert [event["seq"] for event in later["items"]] == [3]
    paged = (await client.get(f"/api/v1/markets/{market.pk}/events?limit=2")).json()
    rest = (
        await client.get(f"/api/v1/markets/{market.pk}/events?limit=2&cursor={paged['next']}")
    ).json()
    assert [event["seq"] for event in rest["items"]] == [3]


async def test_service_endpoints_answer(client):
    assert (await client.get("/healthz")).json() == {"status": "ok"}
    ready = await client.get("/readyz")
    assert ready.json() == {"status": "ok", "database": "ok", "cache": "ok", "broker": "ok"}
    assert "python_info" in (await client.get("/metrics")).text


async def test_readiness_names_what_is_missing(client, settings, monkeypatch):
    from markets.web import operator

    def gone():
        raise ConnectionError

    monkeypatch.setattr(operator, "_cache", gone)
    answer = await client.get("/readyz")
    assert (answer.status_code, answer.json()["cache"], answer.json()["database"]) == (
        503,
        "failed: ConnectionError",
        "ok",
    )
