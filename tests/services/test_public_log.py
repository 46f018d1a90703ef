"""A market's public log begins when it becomes public: what a draft said before stays staff's."""

import pytest

from markets.infra.threads import in_thread
from markets.models import Category, Event, Market
from markets.services import catalogue, lifecycle
from tests.support.clock import LATER, NOW
from tests.support.factory import rename
from tests.support.people import bearer, key_for
from tests.support.sse import listening


@pytest.fixture
def opened(make_market):
    """A market that was a draft with another name."""
    market = make_market("Will Acme be bought by Globex?", status="draft", category="Mergers")
    rename(market, "Will Acme be bought?")
    lifecycle.open_market(market_id=market.pk, actor=None, now=NOW)
    return Market.objects.get(pk=market.pk)


async def test_the_public_log_begins_when_the_market_becomes_public(client, opened):
    answer = await client.get(f"/api/v1/markets/{opened.pk}/events")
    assert [(event["seq"], event["type"]) for event in answer.json()["items"]] == [
        (3, "market.opened")
    ]
    assert "Globex" not in answer.text


async def test_staff_read_the_whole_log(client, opened, alice):
    key = await in_thread(key_for, alice, "read", "staff")
    answer = await client.get(f"/api/v1/markets/{opened.pk}/events", headers=bearer(key))
    assert [event["seq"] for event in answer.json()["items"]] == [1, 2, 3]


async def test_a_stream_from_the_beginning_does_not_tell_what_the_draft_said(server, opened):
    async with listening(f"{server.url}/api/v1/markets/{opened.pk}/stream?after_seq=0") as stream:
        assert (await stream.next())[2]["seq"] == 3


async def test_the_address_is_of_the_name_that_the_public_sees(client, opened):
    assert opened.slug == "will-acme-be-bought"
    assert (await client.get("/markets/will-acme-be-bought")).status_code == 200
    assert (await client.get("/markets/will-acme-be-bought-by-globex")).status_code == 404


def test_the_address_of_a_public_market_does_not_change_with_its_name(make_market):
    market = make_market("Will it rain?")
    rename(market, "Will it snow?")
    lifecycle.pause_market(market_id=market.pk, actor=None, now=NOW)
    lifecycle.open_market(market_id=market.pk, actor=None, now=NOW)
    assert Market.objects.get().slug == "will-it-rain"


def test_a_draft_that_kept_its_name_keeps_its_address_and_its_number(make_market):
    make_market("Will it rain?")
    draft = make_market("Will it rain?", status="draft", open_at=LATER)
    assert draft.slug == "will-it-rain-2"
    lifecycle.schedule_market(market_id=draft.pk, actor=None, now=NOW)
    draft.refresh_from_db()
    assert (draft.slug, draft.public_from) == ("will-it-rain-2", 2)


async def test_the_category_of_a_draft_is_not_on_the_front_page(client, make_market):
    await in_thread(make_market, "Secret?", status="draft", category="Layoffs")
    await in_thread(make_market, "Rain?", category="Weather")
    page = (await client.get("/")).text
    assert "Weather" in page
    assert "Layoffs" not in page
    assert await in_thread(Category.objects.count) == 2


def test_a_draft_that_is_called_off_has_no_public_log(make_market):
    from markets.services import resolution

    draft = make_market("Secret?", status="draft")
    resolution.cancel_market(market_id=draft.pk, actor=None, now=NOW)
    draft.refresh_from_db()
    assert (draft.public, draft.public_from) == (False, None)
    assert not Event.objects.public().exists()


async def test_staff_see_a_draft_on_its_page_and_others_do_not(client, make_market, alice, bob):
    from tests.support.people import sign_in

    await in_thread(make_market, "Secret?", status="draft")
    assert (await client.get("/markets/secret")).status_code == 404
    await sign_in(client, "alice")
    assert (await client.get("/markets/secret")).status_code == 200


def test_only_staff_who_may_see_drafts_are_told_of_one(make_market, bob):
    from django.contrib.auth.models import Group

    from markets.models import Notification
    from tests.support.people import person
    from tests.support.reactions import react_to_all

    person("dora", is_staff=True)
    person("erin", is_staff=True).groups.add(Group.objects.get(name="Resolvers"))
    person("frank").groups.add(Group.objects.get(name="Resolvers"))
    make_market("Secret?", status="draft")
    react_to_all()
    assert list(Notification.objects.values_list("user__username", flat=True)) == ["erin"]


def test_every_market_of_an_older_version_has_its_public_log(make_market):
    """What migration 0003 computes for markets that were there before."""
    public, draft = make_market("Rain?"), make_market("Snow?", status="draft")
    rename(draft, "Hail?")
    lifecycle.open_market(market_id=draft.pk, actor=None, now=NOW)
    catalogue.create_market(actor=None, now=NOW, name="Still a draft?")
    from importlib import import_module

    from django.db import connection

    statement = import_module("markets.migrations.0003_doors").Migration.operations[4].sql
    with connection.cursor() as cursor:
        cursor.execute("UPDATE markets_market SET public_from = 4711 WHERE public")
        cursor.execute(statement)
    found = dict(Market.objects.values_list("name", "public_from"))
    assert found == {"Rain?": 1, "Hail?": 3, "Still a draft?": None}
    assert public.public_from == 1
