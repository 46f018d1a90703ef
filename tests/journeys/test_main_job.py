"""The main job, end to end, as people do it: a real server, worker and browser, and real questions where they are at hand."""

import json
import time

import httpx

from markets.models import Event, Market
from tests.support.browser import needs_chromium, sign_in_by_hand
from tests.support.clock import NOW
from tests.support.processes import wait_for
from tests.support.real import load_questions

pytestmark = needs_chromium


def test_a_market_edited_in_the_admin_changes_on_the_open_page_the_stream_and_the_api(
    server, worker, alice, browser, page
):
    load_questions()
    market = Market.objects.filter(status="active").order_by("pk").first()
    page.goto(f"{server.url}{market.get_absolute_url()}")
    page.wait_for_selector(".pulse.live")
    assert page.inner_text("h1") == market.name

    with httpx.stream(
        "GET", f"{server.url}/api/v1/markets/{market.pk}/stream", timeout=20
    ) as response:
        lines = response.iter_lines()
        assert next(line for line in lines if line.startswith("event: ")) == "event: snapshot"

        admin = browser.new_context().new_page()
        sign_in_by_hand(admin, server, "alice")
        admin.goto(f"{server.url}/admin/markets/market/{market.pk}/change/")
        admin.fill("#id_name", "Will this very test pass?")
        admin.click("[name=_save]")

        page.locator("h1", has_text="Will this very test pass?").wait_for(timeout=5000)
        assert page.title().startswith("Will this very test pass?")
        assert (
            next(line for line in lines if line.startswith("event: market"))
            == "event: market.updated"
        )
        event = json.loads(next(line for line in lines if line.startswith("data: "))[6:])
        assert event["changes"]["name"] == {"from": market.name, "to": "Will this very test pass?"}
        admin.wait_for_selector("text=was changed successfully")
    read = httpx.get(f"{server.url}/api/v1/markets/{market.pk}").json()
    assert (read["name"], read["seq"]) == ("Will this very test pass?", event["seq"])
    wait_for(lambda: not Event.objects.filter(pending=True).exists(), 60)
    found = httpx.get(f"{server.url}/api/v1/markets/", params={"search": "this very test"}).json()[
        "items"
    ]
    assert found[0]["id"] == market.pk


def test_from_commit_to_the_open_page_takes_less_than_a_second(server, market, page):
    from markets.services import catalogue

    page.goto(f"{server.url}{market.get_absolute_url()}")
    page.wait_for_selector(".pulse.live")
    delays = []
    for number in range(5):
        catalogue.edit_market(
            market_id=market.pk, actor=None, now=NOW, changes={"name": f"Name {number}?"}
        )
        begun = time.monotonic()
        page.locator("h1", has_text=f"Name {number}?").wait_for(timeout=5000)
        delays.append(time.monotonic() - begun)
    assert sorted(delays)[2] < 1


def test_the_list_changes_while_it_is_open(server, make_market, page):
    from markets.services import lifecycle

    first = make_market("First?")
    page.clock.install()
    page.goto(f"{server.url}/")
    page.wait_for_selector(".pulse.live")
    lifecycle.pause_market(market_id=first.pk, actor=None, now=NOW)
    page.clock.run_for(1000)
    page.wait_for_selector(".status.paused")
    make_market("Second?")
    page.clock.run_for(61_000)  # nothing changes its place until one asks for it
    page.get_by_role("link", name="1 new · show").click()
    page.wait_for_selector("text=Second?")


def test_every_question_opens_with_its_text_intact_and_no_script_of_it_runs(server, world, page):
    load_questions()
    markets = Market.objects.public()
    assert markets.count() >= 30
    for market in markets:
        detail = httpx.get(f"{server.url}/api/v1/markets/{market.pk}")
        assert detail.status_code == 200
        shown = detail.json()
        assert (shown["name"], shown["description"]) == (market.name, market.description)
        assert shown["resolution_criteria"] == market.resolution_criteria
        assert httpx.get(server.url + market.get_absolute_url()).status_code == 200
    longest = sorted(markets, key=lambda market: -len(market.description))[:5]
    tagged = [market for market in markets if "<" in market.description][:10]
    for market in {*longest, *tagged}:
        page.goto(f"{server.url}{market.get_absolute_url()}")
        assert page.inner_text("h1") == market.name
