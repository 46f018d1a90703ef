"""Managing markets by hand, through the real admin."""

import asyncio
import html
import re

import pytest
from django.contrib.admin.models import LogEntry

from markets.infra.threads import in_thread
from markets.models import Account, Category, Event, JournalEntry, Market, Tag
from markets.services import catalogue, ledger
from tests.support.clock import NOW
from tests.support.factory import order, trade, yes_no
from tests.support.people import sign_in

PREFIXES = ("outcomes", "events")


@pytest.fixture
async def admin(client, alice):
    await sign_in(client, "alice")
    return client


def fields_of(page):
    """What a browser would send back from the change form, untouched."""
    form = page.text.split('id="market_form"')[1].split("</form>")[0]
    sent = {}
    for tag in re.findall(r"<input[^>]*>", form):
        facts = dict(re.findall(r'(\w+)="([^"]*)"', tag))
        if facts.get("name") and facts.get("type") not in {"submit", "checkbox", "file"}:
            sent[facts["name"]] = html.unescape(facts.get("value", ""))
    for name, text in re.findall(
        r'<textarea[^>]*name="([^"]+)"[^>]*>\s?(.*?)</textarea>', form, re.DOTALL
    ):
        sent[name] = html.unescape(text)
    for name, inside in re.findall(
        r'<select[^>]*name="([^"]+)"[^>]*>(.*?)</select>', form, re.DOTALL
    ):
        if name != "action":
            sent[name] = re.findall(r'value="([^"]*)"[^>]*selected', inside)
    return sent


def errors_in(page):
    return re.sub(r"<[^>]+>|\s+", " ", page.text)


async def test_a_market_is_written_by_hand(admin, alice):
    page = await admin.get("/admin/markets/market/add/")
    sent = fields_of(page) | {
        "name": "Will it rain?", "description": "As written", "liquidity": "150", "open_at_0": "2026-01-01", "open_at_1": "12:00",
        "outcomes-0-label": "Yes", "outcomes-0-probability": "0.7", "outcomes-1-label": "No",
    }  # fmt: skip
    answer = await admin.post("/admin/markets/market/add/", data=sent)
    assert answer.status_code == 302, errors_in(answer)
    market = await in_thread(Market.objects.get)
    assert (market.name, market.status, market.liquidity, market.created_by_id) == (
        "Will it rain?",
        "draft",
        150_000_000,
        alice.pk,
    )
    assert await in_thread(lambda: list(market.outcomes.values_list("label", "probability"))) == [
        ("Yes", 700_000),
        ("No", 300_000),
    ]
    assert await in_thread(lambda: list(Event.objects.values_list("type", "actor__username"))) == [
        ("market.created", "alice")
    ]
    assert await in_thread(lambda: LogEntry.objects.get().object_repr) == "Will it rain?"


async def test_an_edit_goes_through_the_service_and_leaves_an_event(admin, market):
    url = f"/admin/markets/market/{market.pk}/change/"
    page = await admin.get(url)
    answer = await admin.post(url, data=fields_of(page) | {"name": "Will it snow?"})
    assert answer.status_code == 302, errors_in(answer)
    event = await in_thread(lambda: market.events.select_related("actor").last())
    assert (event.type, event.actor.username) == ("market.updated", "alice")
    assert event.payload["changes"] == {"name": {"from": "Will it rain?", "to": "Will it snow?"}}
    assert "market.updated" in (await admin.get(url)).text, "the timeline shows it"


async def test_saving_without_a_change_changes_nothing(admin, market):
    url = f"/admin/markets/market/{market.pk}/change/"
    await in_thread(
        lambda: Market.objects.update(open_at=NOW.replace(microsecond=123456))
    )  # finer than the form shows
    assert (await admin.post(url, data=fields_of(await admin.get(url)))).status_code == 302
    assert await in_thread(market.events.count) == 1


async def test_what_the_service_refuses_is_said_in_the_form_and_nothing_typed_is_lost(
    admin, market
):
    url = f"/admin/markets/market/{market.pk}/change/"
    sent = fields_of(await admin.get(url)) | {
        "name": "Will it hail?",
        "liquidity": "7",
        "description": "typed for an hour",
    }
    answer = await admin.post(url, data=sent)
    assert answer.status_code == 200
    assert "This cannot change once a market has opened" in html.unescape(answer.text)
    assert fields_of(answer)["description"] == "typed for an hour"
    assert await in_thread(market.events.count) == 1


async def test_two_people_who_edit_at_once_do_not_overwrite_each_other(admin, market):
    url = f"/admin/markets/market/{market.pk}/change/"
    sent = fields_of(await admin.get(url)) | {"description": "mine"}
    await in_thread(
        catalogue.edit_market,
        market_id=market.pk,
        actor=None,
        now=NOW,
        changes={"name": "Somebody else's?"},
    )
    answer = await admin.post(url, data=sent)
    assert answer.status_code == 200
    assert "your edit started from version 1" in answer.text
    assert (await in_thread(Market.objects.get)).name == "Somebody else's?"


async def test_a_new_market_without_a_name_or_with_equal_labels_is_not_created(admin):
    page = fields_of(await admin.get("/admin/markets/market/add/"))
    for wrong in (
        {"name": ""},
        {"name": "x", "outcomes-0-label": "A", "outcomes-1-label": "a"},
        {"name": "x", "outcomes-0-label": "A"},
    ):
        answer = await admin.post("/admin/markets/market/add/", data=page | wrong)
        assert answer.status_code == 200
    assert await in_thread(Market.objects.count) == 0


async def test_actions_move_markets_and_say_what_could_not_be_moved(admin, make_market):
    active, draft = (
        await in_thread(make_market, "Active?"),
        await in_thread(make_market, "Draft?", status="draft"),
    )
    token = admin.cookies["csrftoken"]
    data = {
        "action": "pause",
        "_selected_action": [active.pk, draft.pk],
        "csrfmiddlewaretoken": token,
    }
    page = await admin.post("/admin/markets/market/", data=data, follow_redirects=True)
    assert "1 market(s) paused." in page.text
    assert "Cannot pause a market that is draft" in page.text
    await in_thread(active.refresh_from_db)
    assert active.status == "paused"


async def test_markets_are_resolved_and_unresolved_by_hand(admin, make_market, bob):

    def write():
        market = make_market()
        trade(bob, market, order(yes_no(market)[0]))
        return market, make_market("Other?")

    market, other = await in_thread(write)
    before = await in_thread(lambda: Account.objects.get(user=bob).balance)
    data = {
        "action": "resolve",
        "outcome": "yes",
        "note": "It did.",
        "csrfmiddlewaretoken": admin.cookies["csrftoken"],
    }
    wrong = await admin.post(
        "/admin/markets/market/",
        data={**data, "_selected_action": [other.pk], "outcome": "Maybe"},
        follow_redirects=True,
    )
    assert "It has no outcome" in wrong.text
    page = await admin.post(
        "/admin/markets/market/",
        data={**data, "_selected_action": [market.pk]},
        follow_redirects=True,
    )
    assert "1 market(s) resolved." in page.text
    assert await in_thread(lambda: Account.objects.get(user=bob).balance) == before + 10_000_000
    await admin.post(
        "/admin/markets/market/",
        data={**data, "action": "unresolve", "_selected_action": [market.pk]},
    )
    assert await in_thread(lambda: Account.objects.get(user=bob).balance) == before


async def test_credits_are_granted_with_a_reason(admin, bob):
    account = await in_thread(ledger.open_account, user=bob, now=NOW)
    data = {
        "action": "grant",
        "_selected_action": [account.pk],
        "csrfmiddlewaretoken": admin.cookies["csrftoken"],
    }
    data["request_key"] = "of this form"
    for wrong in (
        {"amount": "", "reason": "x"},
        {"amount": "5", "reason": ""},
        {"amount": "-5000", "reason": "x"},
        {"amount": "1e9999", "reason": "x"},
    ):
        await admin.post("/admin/markets/account/", data=data | wrong)
    assert await in_thread(lambda: Account.objects.get(user=bob).balance) == 1000_000_000
    page = await admin.post(
        "/admin/markets/account/",
        data=data | {"amount": "12.5", "reason": "Good question"},
        follow_redirects=True,
    )
    assert "12.5 credits, Good question" in page.text
    entry = await in_thread(
        lambda: JournalEntry.objects.select_related("actor").order_by("pk").last()
    )
    assert (entry.kind, entry.note, entry.actor.username) == ("grant", "Good question", "alice")


async def test_two_quick_clicks_on_run_grant_once(admin, bob):
    account = await in_thread(ledger.open_account, user=bob, now=NOW)
    page = await admin.get("/admin/markets/account/")
    key = re.search(r'name="request_key" value="(\w+)"', page.text)[1]
    data = {
        "action": "grant",
        "_selected_action": [account.pk],
        "amount": "12.5",
        "reason": "Good question",
    }
    data |= {"csrfmiddlewaretoken": admin.cookies["csrftoken"], "request_key": key}
    both = [admin.post("/admin/markets/account/", data=data) for _ in range(2)]
    assert [answer.status_code for answer in await asyncio.gather(*both)] == [302, 302]
    assert await in_thread(lambda: Account.objects.get(user=bob).balance) == 1012_500_000
    page = await admin.post("/admin/markets/account/", data=data, follow_redirects=True)
    assert "This was done already" in page.text
    assert await in_thread(lambda: Account.objects.get(user=bob).balance) == 1012_500_000
    assert re.search(r'name="request_key" value="(\w+)"', page.text)[1] != key, (
        "the next form has a key of its own"
    )


async def test_the_note_given_with_cancel_is_kept(admin, market):
    data = {
        "action": "cancel",
        "_selected_action": [market.pk],
        "note": "The event was called off.",
    }
    await admin.post(
        "/admin/markets/market/", data=data | {"csrfmiddlewaretoken": admin.cookies["csrftoken"]}
    )
    event = await in_thread(market.events.last)
    assert (event.type, event.payload["note"]) == ("market.cancelled", "The event was called off.")


async def test_the_list_is_filtered_and_searched_with_a_typo(admin, make_market):
    from markets.tasks import reactions

    def write():
        for name in ("Will the election be held?", "Will it rain?"):
            reactions.react(make_market(name, category="Politics").events.get().pk)

    await in_thread(write)
    assert "Will it rain?" not in (await admin.get("/admin/markets/market/?q=electoin")).text
    page = await admin.get("/admin/markets/market/?status__exact=active")
    assert "Will it rain?" in page.text
    assert "50%" in page.text


async def test_a_tag_that_a_market_has_stays(admin, make_market):
    await in_thread(make_market, tags=["Wet"], category="Weather")
    for shelf in ("tag", "category"):
        model = {"tag": Tag, "category": Category}[shelf]
        held = await in_thread(model.objects.get)
        free = await in_thread(model.objects.create, name="Free", slug="free")
        assert (await admin.get(f"/admin/markets/{shelf}/{held.pk}/delete/")).status_code == 403
        assert (await admin.get(f"/admin/markets/{shelf}/{free.pk}/delete/")).status_code == 200
        data = {"action": "delete_selected", "_selected_action": [held.pk, free.pk], "post": "yes"}
        await admin.post(f"/admin/markets/{shelf}/", data=data)
        assert await in_thread(model.objects.count) == 2


async def test_events_are_read_and_never_written(admin, market):
    event = await in_thread(market.events.get)
    assert (await admin.get("/admin/markets/event/")).status_code == 200
    assert (await admin.get(f"/admin/markets/event/{event.pk}/change/")).status_code == 200
    assert (await admin.get("/admin/markets/event/add/")).status_code == 403
    token = admin.cookies["csrftoken"]
    answer = await admin.post(
        f"/admin/markets/event/{event.pk}/change/", data={"type": "x", "csrfmiddlewaretoken": token}
    )
    assert answer.status_code == 403
    assert (await admin.get(f"/admin/markets/market/{market.pk}/delete/")).status_code == 403


@pytest.mark.parametrize(
    "page",
    [
        "",
        "category/",
        "tag/",
        "market/",
        "report/",
        "notification/",
        "apikey/",
        "categoryfollow/",
        "account/",
        "journalentry/",
        "trade/",
        "position/",
        "resolution/",
        "auditrun/",
    ],
)
async def test_every_list_opens(admin, market, page):
    assert (await admin.get(f"/admin/markets/{page}")).status_code == 200


async def test_people_who_are_not_staff_stay_outside(client, bob):
    page = await client.get("/admin/markets/market/")
    assert page.status_code == 302
    assert page.headers["Location"].startswith("/admin/login/")
