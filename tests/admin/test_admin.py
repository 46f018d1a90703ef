"""Managing markets by hand, through the real admin."""

import asyncio
import re

import pytest
from django.contrib.admin.models import LogEntry

from markets.infra.threads import in_thread
from markets.models import Account, Category, Event, JournalEntry, Market, Tag
from markets.services import catalogue, ledger
from tests.support.clock import NOW
from tests.support.factory import order, trade, yes_no
from tests.support.forms import STEPS, fields_of, words
from tests.support.people import sign_in


@pytest.fixture
async def admin(client, alice):
    await sign_in(client, "alice")
    return client


async def test_a_market_is_written_by_hand(admin, alice):
    page = await admin.get("/admin/markets/market/add/")
    sent = fields_of(page) | {
        "name": "Will it rain?", "description": "As written", "liquidity": "150", "open_at_0": "2026-01-01", "open_at_1": "12:00",
        "outcomes-0-label": "Yes", "outcomes-0-probability": "0.7", "outcomes-1-label": "No",
    }  # fmt: skip
    answer = await admin.post("/admin/markets/market/add/", data=sent)
    assert answer.status_code == 302, words(answer)
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
    assert answer.status_code == 302, words(answer)
    event = await in_thread(lambda: market.events.select_related("actor").last())
    assert (event.type, event.actor.username) == ("market.updated", "alice")
    assert event.payload["changes"] == {"name": {"from": "Will it rain?", "to": "Will it snow?"}}
    assert "alice · Edited Name: Will it rain? snow?" in words(await admin.get(url)), (
        "the timeline shows it"
    )


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
        "close_at_0": "2020-01-01",
        "close_at_1": "12:00",
        "description": "typed for an hour",
    }
    answer = await admin.post(url, data=sent)
    assert answer.status_code == 200
    assert "The closing time must be after the opening time." in words(answer)
    assert fields_of(answer)["description"] == "typed for an hour"
    assert fields_of(answer)["name"] == "Will it hail?"
    assert await in_thread(market.events.count) == 1


async def test_what_is_fixed_since_the_market_opened_does_not_change_however_it_is_sent(
    admin, market
):
    url = f"/admin/markets/market/{market.pk}/change/"
    page = await admin.get(url)
    assert "fixed since the market opened" in words(page)
    sent = fields_of(page)
    assert not {"liquidity", "open_at_0", "outcomes-0-probability"} & set(sent)
    forged = {"liquidity": "7", "open_at_0": "2020-01-01", "open_at_1": "12:00"}
    forged |= {"outcomes-0-probability": "0.9", "outcomes-1-probability": "0.1"}
    answer = await admin.post(url, data=sent | forged)
    assert answer.status_code == 200
    assert "what you typed there cannot be saved" in words(answer)
    assert await in_thread(market.events.count) == 1
    assert (await in_thread(Market.objects.get)).liquidity == 100_000_000


async def test_two_people_who_edit_at_once_do_not_overwrite_each_other(admin, market):
    url = f"/admin/markets/market/{market.pk}/change/"
    sent = fields_of(await admin.get(url)) | {"name": "Mine?"}
    await in_thread(
        catalogue.edit_market,
        market_id=market.pk,
        actor=None,
        now=NOW,
        changes={"name": "Somebody else's?"},
    )
    answer = await admin.post(url, data=sent)
    assert answer.status_code == 200
    assert "Somebody changed it on 1 Mar 2026 12:00 UTC to “Somebody else's?”." in words(answer)
    assert fields_of(answer)["name"] == "Mine?"
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


async def chosen(admin, action, *markets):
    """Choose an operation for markets in their list; return the address and the page it leads to."""
    token = admin.cookies["csrftoken"]
    data = {"action": action, "_selected_action": [market.pk for market in markets]}
    page = await admin.post(
        "/admin/markets/market/", data={**data, "csrfmiddlewaretoken": token}, follow_redirects=True
    )
    assert page.status_code == 200
    return str(page.url), page


async def confirmed(admin, url, **answers):
    """Fill in a page of two steps and confirm what it shows."""
    token = {"csrfmiddlewaretoken": admin.cookies["csrftoken"]}
    page = await admin.post(url, data={"step": "preview", **token, **answers})
    sent = {**fields_of(page, STEPS), "step": "confirm"}
    return await admin.post(url, data=sent, follow_redirects=True)


async def test_actions_move_markets_and_say_what_could_not_be_moved(admin, make_market):
    active, draft = (
        await in_thread(make_market, "Active?"),
        await in_thread(make_market, "Draft?", status="draft"),
    )
    url, page = await chosen(admin, "pause", active, draft)
    assert "1 market will be paused. 1 is draft and is skipped." in words(page)
    await in_thread(active.refresh_from_db)
    assert active.status == "active", "nothing happens before the confirmation"
    sent = {**fields_of(page, STEPS), "step": "confirm"}
    page = await admin.post(url, data=sent, follow_redirects=True)
    assert "Markets: 1 paused, 1 skipped." in words(page)
    await in_thread(active.refresh_from_db)
    await in_thread(draft.refresh_from_db)
    assert (active.status, draft.status) == ("paused", "draft")
    event = await in_thread(lambda: active.events.select_related("actor").last())
    assert (event.type, event.actor.username) == ("market.paused", "alice")


async def test_markets_are_resolved_and_unresolved_by_hand(admin, make_market, bob):

    def write():
        market = make_market()
        trade(bob, market, order(yes_no(market)[0]))
        return market, yes_no(market)[0].pk

    market, yes = await in_thread(write)
    url = f"/admin/markets/market/{market.pk}"
    before = await in_thread(lambda: Account.objects.get(user=bob).balance)
    token = {"csrfmiddlewaretoken": admin.cookies["csrftoken"]}
    wrong = await admin.post(
        f"{url}/resolve/", data={"step": "confirm", f"weight_{yes}": "0.5", **token}
    )
    assert "The weights sum to 0.5; they must sum to 1." in words(wrong)
    page = await confirmed(admin, f"{url}/resolve/", **{f"weight_{yes}": "1", "note": "It did."})
    assert "Will it rain? is resolved, and its traders are paid." in words(page)
    assert await in_thread(lambda: Account.objects.get(user=bob).balance) == before + 10_000_000
    standing = await in_thread(lambda: market.resolutions.select_related("resolved_by").get())
    assert (standing.note, standing.resolved_by.username) == ("It did.", "alice")
    await confirmed(admin, f"{url}/unresolve/", note="It did not.")
    assert await in_thread(lambda: Account.objects.get(user=bob).balance) == before
    assert (await in_thread(market.events.last)).payload["note"] == "It did not."


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


async def test_the_note_given_with_cancel_is_kept(admin, market, make_market):
    note = "The event was called off."
    await confirmed(admin, f"/admin/markets/market/{market.pk}/cancel/", note=note, word=" Cancel ")
    other = await in_thread(make_market, "Another?")
    url, _ = await chosen(admin, "cancel", other)
    await confirmed(admin, url, note=note, word="cancel")
    for one in (market, other):
        event = await in_thread(one.events.last)
        assert (event.type, event.payload["note"]) == ("market.cancelled", note)


async def test_without_the_word_nothing_is_cancelled(admin, market):
    token = {"csrfmiddlewaretoken": admin.cookies["csrftoken"]}
    bulk, _ = await chosen(admin, "cancel", market)
    for url in (f"/admin/markets/market/{market.pk}/cancel/", bulk):
        for word in ("", "yes", "cance"):
            answer = await admin.post(
                url, data={"step": "confirm", "basis": "1", "word": word, "note": "Kept.", **token}
            )
            assert answer.status_code == 200
            assert fields_of(answer, STEPS)["note"] == "Kept."
    assert await in_thread(market.events.count) == 1


async def test_the_list_is_filtered_and_searched_with_a_typo(admin, make_market):
    from markets.tasks import reactions

    def write():
        for name in ("Will the election be held?", "Will it rain?"):
            reactions.react(make_market(name, category="Politics").events.get().pk)

    await in_thread(write)
    assert "Will it rain?" not in (await admin.get("/admin/markets/market/?q=electoin")).text
    for query in ("status__exact=active", "status__in=active", "q=rain", ""):
        page = await admin.get(f"/admin/markets/market/?{query}")
        assert "Will it rain?" in page.text, query
        assert "50%" in page.text
    for query in ("status__in=closed", "queue=awaiting", "queue=drafts", "queue=closing"):
        assert "Will it rain?" not in (await admin.get(f"/admin/markets/market/?{query}")).text


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
        "job/",
    ],
)
async def test_every_list_opens(admin, market, page):
    assert (await admin.get(f"/admin/markets/{page}")).status_code == 200


async def test_people_who_are_not_staff_stay_outside(client, bob):
    page = await client.get("/admin/markets/market/")
    assert page.status_code == 302
    assert page.headers["Location"].startswith("/admin/login/")
