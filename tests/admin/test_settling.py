"""The pages of a market's moves: what they show, what stops a confirmation, and what is refused."""

import re
from datetime import timedelta

import pytest
from django.contrib.auth.models import Group
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from markets.domain.amounts import MICRO
from markets.infra.threads import in_thread
from markets.models import Event, JournalEntry, Market
from markets.selectors import audit
from markets.services import bulk, comments, lifecycle, proposals, resolution
from tests.support.clock import LATER, NOW
from tests.support.factory import (
    balance,
    edit_now,
    make_market_that_is,
    order,
    resolve,
    state,
    trade,
    yes_no,
)
from tests.support.forms import STEPS, client_of, fields_of, previewed, words
from tests.support.people import person

MOVES = [*lifecycle.MOVES]


@pytest.fixture
def staff(alice):
    return client_of(alice)


@pytest.fixture
def traded(market, bob):
    """Bob holds Yes, Charlie holds No."""
    yes, no = yes_no(market)
    trade(bob, market, order(yes, shares=100 * MICRO))
    trade(person("charlie"), market, order(no, shares=60 * MICRO))
    market.refresh_from_db()
    return market


def page_of(market, move):
    return f"/admin/markets/market/{market.pk}/{move}/"


def weights(market, *values, **more):
    return {
        f"weight_{outcome.pk}": value
        for outcome, value in zip(yes_no(market), values, strict=False)
    } | more


def spend(user, left, make_market):
    other = make_market("Other?", liquidity=1000 * MICRO)
    trade(user, other, order(yes_no(other)[0], amount=balance(user) - left))


# --- what a preview shows ---------------------------------------------------------------------------------------------


def test_resolving_first_shows_who_gets_what(staff, traded, bob):
    sent = weights(traded, "0.25", "0.75", note="By <b>the</b> gauge.")
    page = staff.post(page_of(traded, "resolve"), {"step": "preview", **sent})
    text = words(page)
    assert "A share pays 0.25 (Yes), 0.75 (No)." in text
    assert "70.00 credits go to who holds what came true, of 2 traders" in text
    assert "Largest gains" in text
    assert "charlie" in text
    assert "45.00" in text
    assert "By <b>the</b> gauge." in text
    assert "<b>the</b>" not in page.content.decode()
    assert balance(bob) < 1000 * MICRO
    assert Market.objects.get(pk=traded.pk).status == "active"


def test_cancelling_first_shows_the_refunds(staff, traded):
    text = words(staff.post(page_of(traded, "cancel"), {"step": "preview", "word": "cancel"}))
    assert "2 traders get back what they paid in" in text


def test_who_holds_shares_is_told_so(staff, traded, alice):
    trade(alice, traded, order(yes_no(traded)[1]))
    for move in ("resolve", "cancel"):
        assert "You hold shares in this market yourself: 10.00 of No" in words(
            staff.get(page_of(traded, move))
        )


@pytest.mark.parametrize("move", MOVES)
def test_each_page_takes_few_queries_at_each_step(staff, make_market, bob, move):
    """Of a market of twenty outcomes and thirty traders."""
    from markets.domain.text import OutcomeDraft

    outcomes = [OutcomeDraft(f"Outcome {n}", 50_000) for n in range(20)]
    before_trading = {"schedule": "draft", "open": "draft"}
    status = before_trading.get(move, "active")
    later = {"open_at": timezone.now() + timedelta(days=1)} if move == "schedule" else {}
    market = make_market(outcomes=outcomes, status=status, **later)
    if status == "active":
        for number in range(30):
            trade(person(f"t{number}"), market, order(yes_no(market)[number % 20]))
    if move == "unresolve":
        resolve(market, **{"outcome 0": MICRO})
    answers = {"resolve": weights(market, "1"), "cancel": {"word": "cancel"}}.get(move, {})
    url = page_of(market, move)
    for sent in (None, {"step": "preview", **answers}):
        with CaptureQueriesContext(connection) as queries:
            page = staff.get(url) if sent is None else staff.post(url, sent)
        assert page.status_code == 200
        assert len(queries) <= 15, [query["sql"][:150] for query in queries]
    with CaptureQueriesContext(connection) as queries:
        page = staff.get(f"/admin/markets/market/{market.pk}/change/")
    assert page.status_code == 200
    assert len(queries) <= 15, [query["sql"][:150] for query in queries]
    assert staff.post(url, previewed(staff, url, **answers)).status_code == 302
    market.refresh_from_db()
    assert market.status == lifecycle.MOVES[move].end


@pytest.mark.parametrize("number", [3, 150])
def test_the_pages_of_jobs_take_few_queries(staff, make_market, alice, number):
    markets = [make_market(f"Question {n}?") for n in range(number)]
    ids = [market.pk for market in markets]
    for operation in bulk.OPERATIONS:
        job = bulk.propose(operation=operation, market_ids=ids, actor=alice, now=NOW)
        for step in ("confirm", "change", "retry"):
            with CaptureQueriesContext(connection) as queries:
                page = staff.get(f"/admin/markets/job/{job.pk}/{step}/")
            assert page.status_code == 200
            assert len(queries) <= 15, (operation, step, len(queries))
    with CaptureQueriesContext(connection) as queries:
        assert staff.get("/admin/markets/job/").status_code == 200
    assert len(queries) <= 15


# --- a confirmation holds for what was shown --------------------------------------------------------------------------


def a_trade(market, bob):
    trade(bob, market, order(yes_no(market)[0], shares=5 * MICRO), now=timezone.now())


def an_edit(market, _bob):
    edit_now(market, description="More about it.")


@pytest.mark.parametrize("move", ["resolve", "cancel"])
@pytest.mark.parametrize("meanwhile", [a_trade, an_edit])
def test_what_happens_between_shows_the_new_figures_and_asks_again(
    staff, traded, bob, move, meanwhile
):
    url = page_of(traded, move)
    answers = weights(traded, "1", note="Kept.") if move == "resolve" else {"word": "cancel"}
    sent = previewed(staff, url, **answers)
    meanwhile(traded, bob)
    page = staff.post(url, sent)
    assert page.status_code == 200
    assert "Something changed since you looked. These are the new figures" in words(page)
    if meanwhile is a_trade and move == "resolve":
        assert "105.00 credits go to who holds what came true, of 2 traders" in words(page)
    assert Market.objects.get(pk=traded.pk).status == "active"
    again = {**fields_of(page, STEPS), "step": "confirm"}
    assert again["basis"] != sent["basis"]
    assert staff.post(url, again).status_code == 302
    assert Market.objects.get(pk=traded.pk).status == lifecycle.MOVES[move].end


def test_a_move_without_figures_is_not_held_up_by_a_trade_but_by_an_edit(staff, traded, bob):
    url = page_of(traded, "pause")
    sent = {**fields_of(staff.get(url), STEPS), "step": "confirm"}
    a_trade(traded, bob)
    assert staff.post(url, sent).status_code == 302
    url = page_of(traded, "close")
    sent = {**fields_of(staff.get(url), STEPS), "step": "confirm"}
    an_edit(traded, bob)
    assert "Something changed since you looked" in words(staff.post(url, sent))
    assert Market.objects.get(pk=traded.pk).status == "paused"


def test_somebody_else_who_resolves_it_first_is_not_overruled(staff, traded, bob):
    url = page_of(traded, "resolve")
    sent = previewed(staff, url, **weights(traded, "0", "1"))
    resolve(traded, yes=MICRO)
    before = state()
    page = staff.post(url, sent)
    assert page.status_code == 200
    assert "This market is resolved. To resolve a market, it must be" in words(page)
    assert state() == before


def test_a_second_click_on_the_confirmation_pays_once(staff, traded, bob):
    url, before = page_of(traded, "resolve"), balance(bob)
    sent = previewed(staff, url, **weights(traded, "1"))
    assert [staff.post(url, sent).status_code for _ in range(2)] == [302, 200]
    assert balance(bob) == before + 100 * MICRO
    assert JournalEntry.objects.filter(kind="payout").count() == 1
    assert audit.breaches() == []


def test_two_clicks_at_one_moment_pay_once(staff, traded, alice, bob):
    from tests.support.threads import together

    url, before = page_of(traded, "resolve"), balance(bob)
    sent = previewed(staff, url, **weights(traded, "1"))
    answers = together(3, lambda _: client_of(alice).post(url, sent).status_code)
    assert sorted(answers) == [200, 200, 302]
    assert balance(bob) == before + 100 * MICRO


def test_back_after_the_confirmation_cannot_settle_what_came_after(staff, traded):
    """Resolved, taken back, and then the old confirmation is sent again."""
    url = page_of(traded, "resolve")
    sent = previewed(staff, url, **weights(traded, "1"))
    staff.post(url, sent)
    undo = page_of(traded, "unresolve")
    taken_back = previewed(staff, undo)
    staff.post(undo, taken_back)
    before = state()
    assert "Something changed since you looked" in words(staff.post(url, sent))
    assert staff.post(undo, taken_back).status_code == 200
    assert state() == before


@pytest.mark.parametrize("forged", ["", "abc", "-1", "9" * 40, "1.5", "\x00"])
def test_a_forged_basis_confirms_nothing(staff, traded, forged):
    for move, answers in (("resolve", weights(traded, "1")), ("pause", {})):
        sent = {"step": "confirm", "basis": forged, **answers}
        page = staff.post(page_of(traded, move), sent)
        assert page.status_code == 200
        assert Market.objects.get(pk=traded.pk).status == "active"


def test_change_what_i_wrote_leads_back_to_the_form_with_all_of_it(staff, traded):
    url = page_of(traded, "resolve")
    answers = weights(
        traded, "0.25", "0.75", note="First.\nSecond.", evidence_url="https://example.org/x",
        known_at_0="2026-03-01", known_at_1="09:30",
    )  # fmt: skip
    sent = previewed(staff, url, **answers)
    page = staff.post(url, {**sent, "step": "change"})
    back = fields_of(page, STEPS)
    assert {name: back[name] for name in answers} | {"known_at_1": "09:30"} == answers | {
        "known_at_1": "09:30"
    }
    assert staff.post(url, sent).status_code == 302
    resolution = traded.resolutions.get()
    assert (resolution.note, resolution.evidence_url) == (
        "First.\nSecond.",
        answers["evidence_url"],
    )
    assert f"{resolution.known_at:%Y-%m-%d %H:%M}" == "2026-03-01 09:30"


# --- bad input --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (("0.99", "0"), "The weights sum to 0.99; they must sum to 1."),
        (("0.9", "0.09"), "The weights sum to 0.99; they must sum to 1."),
        (("", ""), "The weights sum to 0; they must sum to 1."),
        (("1", "1"), "The weights sum to 2; they must sum to 1."),
        (("1.5", "-0.5"), "Ensure this value is less than or equal to 1."),
        (("-1", "2"), "Ensure this value is greater than or equal to 0."),
        (("yes", "no"), "Enter a number."),
        (("1e400", "0"), "Ensure"),
        (("NaN", "1"), "Enter a number."),
        (("9" * 5000, "0"), "Ensure"),
        (("0.1234567", "0.8765433"), "Ensure that there are no more than 6 decimal places."),
        (("1\x00", "0"), "Enter a number."),
    ],
)
def test_weights_that_are_none_are_refused_at_once_and_kept(staff, traded, typed, said):
    url, seq = page_of(traded, "resolve"), traded.seq
    for step in ("preview", "confirm", "change", ""):
        sent = {"step": step, "basis": str(seq), **weights(traded, *typed, note="Typed long.")}
        page = staff.post(url, sent)
        assert page.status_code == 200
        assert said in words(page)
        back = fields_of(page, STEPS)
        assert back["note"] == "Typed long."
        assert "\x00" in typed[0] or back[f"weight_{yes_no(traded)[0].pk}"] == typed[0]
    assert Market.objects.get(pk=traded.pk).seq == seq


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        ({"note": "a\x00b"}, "Null characters are not allowed."),
        ({"note": "x" * 200_000}, "characters"),
        ({"evidence_url": "javascript:alert(1)"}, "Enter a valid URL."),
        ({"evidence_url": "x" * 600}, "500"),
        ({"known_at_0": "2999-01-01", "known_at_1": "12:00"}, "Give a time between 1900 and now."),
        ({"known_at_0": "0001-01-01", "known_at_1": "12:00"}, "Give a time between 1900 and now."),
        ({"known_at_0": "yesterday", "known_at_1": ""}, "Enter a valid date."),
    ],
)
def test_answers_that_cannot_be_are_said_at_their_fields(staff, traded, answers, said):
    url = page_of(traded, "resolve")
    sent = {"step": "confirm", "basis": str(traded.seq), **weights(traded, "1"), **answers}
    page = staff.post(url, sent)
    assert page.status_code == 200
    assert said in words(page)
    assert Market.objects.get(pk=traded.pk).status == "active"


@pytest.mark.parametrize("pk", ["abc", "0", "4711", str(10**30), "-1", "%00", "1.5", "１"])
def test_an_address_of_no_market_or_job_is_not_found(staff, market, pk):
    for move in MOVES:
        for ask in (staff.get, staff.post):
            assert ask(f"/admin/markets/market/{pk}/{move}/").status_code == 404
    for step in ("confirm", "retry"):
        for ask in (staff.get, staff.post):
            assert ask(f"/admin/markets/job/{pk}/{step}/").status_code == 404
    for model in ("market", "job"):
        page = staff.get(f"/admin/markets/{model}/{pk}/change/")
        assert page.status_code == 302, "Django says that it does not exist"


@pytest.mark.parametrize("status", ["draft", "scheduled", "active", "paused", "closed", "resolved", "cancelled"])  # fmt: skip
@pytest.mark.parametrize("move", MOVES)
def test_a_move_that_the_status_does_not_allow_says_so_and_does_nothing(staff, move, status):
    market = make_market_that_is(status)
    url, legal = page_of(market, move), status in lifecycle.MOVES[move].starts
    before = Event.objects.count()
    said = f"This market is {status}. To {move} a market, it must be"
    assert (said in words(staff.get(url))) == (not legal)
    if not legal:
        for basis in (market.seq, market.version):
            sent = {
                "step": "confirm",
                "basis": str(basis),
                "word": "cancel",
                **weights(market, "1"),
            }
            page = staff.post(url, sent)
            assert page.status_code == 200
            assert said in words(page)
    assert Event.objects.count() == before


def test_a_draft_without_an_opening_time_is_not_scheduled(staff, make_market):
    draft = make_market(status="draft")
    url = page_of(draft, "schedule")
    sent = {"step": "confirm", "basis": str(draft.version)}
    for page in (staff.get(url), staff.post(url, sent)):
        assert page.status_code == 200
        assert "To schedule a market, set an opening time in the future." in words(page)


# --- taking a resolution back -----------------------------------------------------------------------------------------


@pytest.fixture
def spent(traded, bob, make_market):
    """Bob was paid 100 credits and has 30 left."""
    resolve(traded, yes=MICRO)
    spend(bob, 30 * MICRO, make_market)
    traded.refresh_from_db()
    return traded


def test_a_shortage_is_shown_by_name_and_blocks(staff, spent, bob):
    url = page_of(spent, "unresolve")
    page = staff.post(url, {"step": "preview", "note": "Wrong gauge."})
    text = words(page)
    lacks = f"{(100 * MICRO - balance(bob)) / MICRO:.2f}"
    assert f"bob 100.00 {lacks}" in text
    assert "switch on Grant what is lacking" in text
    assert 'value="confirm"' not in page.content.decode()
    before = state()
    sent = {"step": "confirm", "basis": str(spent.seq), "note": "Wrong gauge."}
    page = staff.post(url, sent)
    assert page.status_code == 200
    assert state() == before


def test_what_is_lacking_is_granted_when_it_is_asked_for(staff, spent, bob):
    url = page_of(spent, "unresolve")
    sent = previewed(staff, url, note="Wrong gauge.", grant_lacking="on")
    assert staff.post(url, sent).status_code == 302
    assert balance(bob) == 0
    assert Market.objects.get(pk=spent.pk).status == "closed"
    assert spent.events.last().payload["note"] == "Wrong gauge."
    assert audit.breaches() == []


def test_who_may_not_grant_credits_grants_none(spent, bob):
    resolver = person("resolver", is_staff=True)
    resolver.groups.add(Group.objects.get(name="Resolvers"))
    client, url = client_of(resolver), page_of(spent, "unresolve")
    assert "Grant what is lacking" not in words(client.get(url))
    page = client.post(url, {"step": "preview", "grant_lacking": "on"})
    assert "Ask somebody who may grant credits to unresolve it." in words(page)
    before = state()
    sent = {"step": "confirm", "basis": str(spent.seq), "grant_lacking": "on"}
    assert client.post(url, sent).status_code == 200
    assert state() == before


def test_a_payout_spent_between_preview_and_confirmation_grants_and_takes_nothing(
    staff, traded, bob, make_market
):
    """The market has no event then: what stops it is the ledger."""
    resolve(traded, yes=MICRO)
    url = page_of(traded, "unresolve")
    sent = previewed(staff, url)
    spend(bob, 30 * MICRO, make_market)
    before = state()
    page = staff.post(url, sent)
    assert page.status_code == 200
    assert "lack" in words(page)
    assert state() == before


def test_a_shortage_that_grew_since_the_preview_is_not_granted_unseen(
    staff, spent, bob, make_market
):
    url = page_of(spent, "unresolve")
    sent = previewed(staff, url, grant_lacking="on")
    spend(bob, 10 * MICRO, make_market)
    before = state()
    page = staff.post(url, sent)
    assert page.status_code == 200
    assert "Something changed since you looked" in words(page)
    assert state() == before


# --- many -------------------------------------------------------------------------------------------------------------


def proposed(staff, action, *markets):
    sent = {"action": action, "_selected_action": [market.pk for market in markets]}
    return staff.post("/admin/markets/market/", sent).headers["Location"]


def test_many_are_done_at_once_with_one_summary(staff, make_market):
    markets = [make_market(f"A {n}?") for n in range(3)]
    done = [make_market(f"B {n}?", status="closed") for n in range(2)]
    url = proposed(staff, "close", *markets, *done)
    page = staff.get(url)
    assert "3 markets will close. 2 are closed already and are skipped." in words(page)
    answer = staff.post(url, {**fields_of(page, STEPS), "step": "confirm"}, follow=True)
    assert answer.redirect_chain[-1][0] == "/admin/markets/market/"
    assert "Markets: 3 closed, 2 skipped." in words(answer)
    again = staff.post(url, {**fields_of(page, STEPS), "step": "confirm"})
    assert "This was confirmed already." in words(again)


def test_a_market_that_moved_since_the_preview_is_shown_before_anything_is_done(staff, make_market):
    first, second = make_market("First?"), make_market("Second?")
    url = proposed(staff, "close", first, second)
    sent = {**fields_of(staff.get(url), STEPS), "step": "confirm"}
    lifecycle.close_market(market_id=first.pk, actor=None, now=NOW)
    page = staff.post(url, sent)
    assert "Something changed since you looked" in words(page)
    assert "1 market will close. 1 is closed already and is skipped." in words(page)
    assert Market.objects.get(pk=second.pk).status == "active"


def test_a_closing_time_that_has_passed_is_refused_before_anything_is_done(staff, market):
    url = proposed(staff, "move_closing", market)
    for date, said in (
        ("2020-01-01", "This time has passed: give a later one."),
        ("", "This field is required."),
        ("soon", "Enter a valid date."),
    ):
        page = staff.post(url, {"step": "confirm", "close_at_0": date, "close_at_1": "12:00"})
        assert said in words(page)
    sent = previewed(staff, url, close_at_0=f"{LATER:%Y-%m-%d}", close_at_1="12:00")
    assert staff.post(url, sent).status_code == 302
    market.refresh_from_db()
    assert f"{market.close_at:%Y-%m-%d %H:%M}" == f"{LATER:%Y-%m-%d} 12:00"


def test_a_category_and_tags_are_set_from_their_lists(staff, market, make_market):
    other = make_market("Other?", category="Weather", tags=["Wet", "Sky"])
    url = proposed(staff, "set_category", market)
    sent = previewed(staff, url, category=other.category_id)
    assert staff.post(url, sent).status_code == 302
    url = proposed(staff, "add_tags", market)
    sent = previewed(staff, url, tags=[tag.pk for tag in other.tags.all()])
    assert staff.post(url, sent).status_code == 302
    market.refresh_from_db()
    assert market.category == other.category
    assert {tag.slug for tag in market.tags.all()} == {"wet", "sky"}


@pytest.mark.parametrize("junk", ["abc", "-1", "9" * 30, "\x00", "4711"])
def test_a_category_or_tag_that_is_none_is_refused(staff, market, junk):
    for action, field in (("set_category", "category"), ("add_tags", "tags")):
        url = proposed(staff, action, market)
        page = staff.post(url, {"step": "confirm", field: junk})
        assert page.status_code in {200, 400}
    assert Market.objects.get().seq == 1


def test_what_cannot_open_is_said_before_and_named_after(staff, make_market):
    late = make_market("Late?", status="draft", close_at=NOW + timedelta(days=1))
    assert "The closing time has passed" in words(staff.get(page_of(late, "open")))
    url = proposed(staff, "open", late, make_market("Fine?", status="draft"))
    page = staff.get(url)
    assert "1 market will open." in words(page)
    assert "1 is past the closing time and is skipped." in words(page)
    staff.post(url, {**fields_of(page, STEPS), "step": "confirm"})
    answer = staff.get(url.replace("confirm", "change"))
    assert "Markets: 1 opened, 1 skipped." in words(answer)
    assert "Late?: The closing time has passed: set a later one first." in words(answer)


def test_failures_of_a_job_are_listed_on_its_page(staff, make_market):
    later = timezone.now() + timedelta(days=9)
    early = make_market("Early?", status="draft", open_at=later)
    url = proposed(staff, "move_closing", early)
    date = f"{later - timedelta(days=1):%Y-%m-%d}"
    sent = {"close_at_0": date, "close_at_1": "12:00"}
    page = staff.post(url, {**sent, "step": "preview"})
    answer = staff.post(url, {**fields_of(page, STEPS), "step": "confirm"}, follow=True)
    assert "1 failed." in words(answer)
    assert "Early?: The closing time must be after the opening time." in words(answer)


def test_closing_many_says_that_it_is_for_good(staff, market):
    assert "Trading ends now and for good" in words(staff.get(proposed(staff, "close", market)))


def test_afterwards_one_is_back_at_the_list_as_it_was_filtered(staff, market):
    sent = {"action": "close", "_selected_action": [market.pk]}
    url = staff.post("/admin/markets/market/?q=rain", sent).headers["Location"]
    confirmed = {**fields_of(staff.get(url), STEPS), "step": "confirm"}
    assert staff.post(url, confirmed).headers["Location"] == "/admin/markets/market/?q=rain"


def test_what_awaits_a_resolution_stands_with_the_oldest_first(staff, make_market):
    late, early = (
        make_market(name, status="closed", close_at=NOW - timedelta(days=days))
        for name, days in (("Early by id?", 1), ("Oldest?", 9))
    )
    page = words(staff.get("/admin/markets/market/?queue=awaiting"))
    assert page.index(early.name) < page.index(late.name)


def test_cancelling_a_draft_does_not_say_that_everybody_sees_it(staff, make_market):
    page = page_of(make_market(status="draft"), "cancel")
    shown = words(staff.post(page, {"step": "preview", "word": "cancel"}))
    assert "Only staff see that" in shown
    assert "Everybody sees that" not in shown


def test_too_many_at_once_are_refused(staff, market, monkeypatch):
    from markets.admin import bulk as pages

    monkeypatch.setattr(pages, "MOST", 0)
    sent = {"action": "close", "_selected_action": [market.pk]}
    page = staff.post("/admin/markets/market/", sent, follow=True)
    assert "Choose at most 0 markets: narrow the list first." in words(page)


def test_cancelling_many_shows_what_is_refunded(staff, traded, make_market):
    url = proposed(staff, "cancel", traded, make_market("Untraded?"))
    page = staff.post(url, {"step": "preview", "word": "cancel"})
    found = resolution.preview_cancellation(market_id=traded.pk)
    total = sum(found.payouts.values()) / MICRO
    assert f"{total:,.2f} credits are refunded to {len(found.payouts)} traders" in words(page)


def test_who_cannot_approve_yet_sees_what_is_proposed(staff, traded, settings, alice):
    settings.RESOLUTION_REVIEW_HOURS = 24
    lifecycle.close_market(market_id=traded.pk, actor=None, now=timezone.now())
    weight = {yes_no(traded)[0].pk: MICRO}
    proposals.propose(market_id=traded.pk, actor=alice, now=timezone.now(), weights=weight)
    top = words(staff.get(page_of(traded, "change")))
    assert "Proposed: Yes, by alice, " in top
    assert "You proposed this resolution yourself" in top
    page = words(staff.get(page_of(traded, "approve")))
    assert "You proposed this resolution yourself" in page
    assert "Largest gains" in page
    assert "Approve, resolve and pay" not in page


async def test_the_page_says_that_a_resolution_was_taken_back_and_why(client, traded):
    await in_thread(resolve, traded, yes=MICRO)
    await in_thread(
        resolution.unresolve_market, market_id=traded.pk, actor=None, now=NOW, note="Too early."
    )
    page = (await client.get(traded.get_absolute_url())).text
    assert "Resolution taken back" in page
    assert "Too early." in page


def test_what_people_say_meanwhile_outdates_no_preview(staff, market, bob):
    page = f"/admin/markets/market/{market.pk}/cancel/"
    shown = staff.post(page, {"step": "preview", "word": "cancel"})
    basis = re.search(r'name="basis" value="([^"]*)"', shown.content.decode())[1]
    comments.write(market_id=market.pk, author=bob, said="Why?", now=NOW)
    sent = {"step": "confirm", "basis": basis, "word": "cancel"}
    assert staff.post(page, sent).status_code == 302
    market.refresh_from_db()
    assert market.status == "cancelled"
