"""Two people and one market: only a field that both have changed is a conflict, and nothing typed is lost."""

import json
import re
from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from markets.domain.text import OutcomeDraft
from markets.models import Category, Market, Tag
from markets.services import lifecycle
from tests.support.clock import LATER, NOW
from tests.support.factory import edit_now, make_market_that_is, order, trade, yes_no
from tests.support.forms import client_of, fields_of, words


@pytest.fixture
def staff(alice):
    return client_of(alice)


@pytest.fixture
def shelves(world):
    """Two categories and three tags, by slug."""
    rows = [Category(name=name, slug=name.lower()) for name in ("Weather", "Sport")]
    rows += [Tag(name=name, slug=name.lower()) for name in ("Wet", "Dry", "Sky")]
    for row in rows:
        row.save()
    return {row.slug: row for row in rows}


def url_of(market):
    return f"/admin/markets/market/{market.pk}/change/"


def changes_of(market):
    return market.events.order_by("-seq").first().payload["changes"]


# field: what I send, what the other saves, what is stored when mine is on top
MINE_AND_THEIRS = {
    "name": ({"name": "Mine?"}, {"name": "Theirs?"}, "Mine?"),
    "description": ({"description": "Mine."}, {"description": "Theirs."}, "Mine."),
    "resolution_criteria": (
        {"resolution_criteria": "Mine."}, {"resolution_criteria": "Theirs."}, "Mine."
    ),
    "source_url": (
        {"source_url": "https://example.org/mine"}, {"source_url": "https://example.org/theirs"},
        "https://example.org/mine",
    ),
    "close_at": (
        {"close_at_0": f"{LATER:%Y-%m-%d}", "close_at_1": "12:00:00"},
        {"close_at": LATER + timedelta(days=1)}, LATER,
    ),
}  # fmt: skip


@pytest.mark.parametrize("field", MINE_AND_THEIRS)
def test_a_field_that_both_changed_is_shown_and_saved_again_mine_is_on_top(staff, market, field):
    mine, theirs, stored = MINE_AND_THEIRS[field]
    sent = fields_of(staff.get(url_of(market))) | mine
    edit_now(market, **theirs)
    page = staff.post(url_of(market), sent)
    assert page.status_code == 200
    assert "Somebody changed it on" in words(page)
    assert "Yours is in the field: save again to put it on top." in words(page)
    again = fields_of(page)
    assert {name: again[name] for name in mine} == mine, "nothing typed is lost"
    assert market.events.count() == 2
    assert staff.post(url_of(market), again).status_code == 302
    assert getattr(Market.objects.get(), field) == stored
    assert set(changes_of(market)) == {field}


def test_tags_and_the_category_that_both_changed_are_shown(staff, make_market, shelves):
    market = make_market()
    sent = fields_of(staff.get(url_of(market)))
    sent |= {"tags": [shelves["wet"].pk, shelves["sky"].pk], "category": shelves["weather"].pk}
    edit_now(market, tags=["Dry"], category="Sport")
    page = staff.post(url_of(market), sent)
    assert "to “dry”." in words(page)
    assert "to “sport”." in words(page)
    again = fields_of(page)
    assert set(map(int, again["tags"])) == {shelves["wet"].pk, shelves["sky"].pk}
    assert staff.post(url_of(market), again).status_code == 302
    market.refresh_from_db()
    assert {tag.slug for tag in market.tags.all()} == {"wet", "sky"}
    assert market.category == shelves["weather"]


def test_different_fields_do_not_conflict_and_both_stay(staff, make_market, shelves):
    market = make_market(tags=["Wet"])
    sent = fields_of(staff.get(url_of(market))) | {"description": "Mine."}
    edit_now(market, name="Theirs?", tags=["Dry"], category="Sport", close_at=LATER)
    assert staff.post(url_of(market), sent).status_code == 302
    market.refresh_from_db()
    assert (market.description, market.name, market.close_at) == ("Mine.", "Theirs?", LATER)
    assert [tag.slug for tag in market.tags.all()] == ["dry"]
    assert set(changes_of(market)) == {"description"}


@pytest.mark.parametrize("move", ["pause", "close"])
def test_a_change_of_state_does_not_conflict(staff, market, move):
    sent = fields_of(staff.get(url_of(market))) | {"description": "Mine."}
    getattr(lifecycle, f"{move}_market")(market_id=market.pk, actor=None, now=timezone.now())
    assert staff.post(url_of(market), sent).status_code == 302
    market.refresh_from_db()
    assert (market.description, market.status) == ("Mine.", lifecycle.MOVES[move].end)


def test_a_draft_that_was_opened_meanwhile_keeps_my_text(staff, make_market):
    market = make_market(status="draft")
    sent = fields_of(staff.get(url_of(market))) | {"description": "Mine."}
    lifecycle.open_market(market_id=market.pk, actor=None, now=timezone.now())
    page = staff.post(url_of(market), sent)
    if page.status_code == 200:
        assert fields_of(page)["description"] == "Mine."
        page = staff.post(url_of(market), fields_of(page))
    assert page.status_code == 302
    market.refresh_from_db()
    assert (market.description, market.status) == ("Mine.", "active")


def test_what_both_changed_alike_is_no_conflict(staff, market):
    sent = fields_of(staff.get(url_of(market))) | {"name": "Same?"}
    edit_now(market, name="Same?")
    assert staff.post(url_of(market), sent).status_code == 302
    assert market.events.count() == 2


def test_times_finer_than_the_form_shows_are_neither_an_edit_nor_a_conflict(staff, make_market):
    market = make_market(
        status="draft", open_at=LATER.replace(microsecond=123456),
        close_at=(LATER + timedelta(days=1)).replace(microsecond=654321),
    )  # fmt: skip
    sent = fields_of(staff.get(url_of(market)))
    assert staff.post(url_of(market), sent).status_code == 302
    assert market.events.count() == 1
    assert staff.post(url_of(market), sent | {"name": "New?"}).status_code == 302
    assert set(changes_of(market)) == {"name"}


def test_a_third_save_between_is_shown_again(staff, market):
    sent = fields_of(staff.get(url_of(market))) | {"name": "Mine?"}
    edit_now(market, name="Theirs?")
    again = fields_of(staff.post(url_of(market), sent))
    edit_now(market, name="Theirs, again?")
    page = staff.post(url_of(market), again)
    assert page.status_code == 200
    assert "to “Theirs, again?”." in words(page)
    assert Market.objects.get().name == "Theirs, again?"


def test_a_conflict_beside_another_error_stays_a_conflict(staff, market):
    sent = fields_of(staff.get(url_of(market))) | {"name": "", "description": "Mine."}
    edit_now(market, description="Theirs.")
    page = staff.post(url_of(market), sent)
    assert "This field is required." in words(page)
    assert "to “Theirs.”." in words(page)
    again = fields_of(page)
    assert again["description"] == "Mine."
    assert staff.post(url_of(market), again | {"name": "Named?"}).status_code == 302
    assert Market.objects.get().description == "Mine."


def test_a_page_left_open_over_days_saves_nothing_that_it_does_not_show(staff, market, bob):
    """My page is old; I change one field; what others wrote in ten edits stays."""
    sent = fields_of(staff.get(url_of(market))) | {"source_url": "https://example.org/x"}
    for number in range(10):
        edit_now(market, description=f"Version {number}")
    trade(bob, market, order(yes_no(market)[0]), now=timezone.now())
    assert staff.post(url_of(market), sent).status_code == 302
    assert Market.objects.get().description == "Version 9"


# --- made by hand -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "seen", [None, "", "null", "[]", '"x"', "5", "{}", "{bad", '{"name": 5}', '{"name": []}', "[" * 5000]
)  # fmt: skip
def test_a_form_that_does_not_say_what_it_showed_overwrites_nothing_at_once(staff, market, seen):
    sent = fields_of(staff.get(url_of(market))) | {"name": "By hand?"}
    del sent["seen"]
    page = staff.post(url_of(market), sent if seen is None else {**sent, "seen": seen})
    assert page.status_code == 200
    assert Market.objects.get().name == "Will it rain?"
    assert fields_of(page)["name"] == "By hand?"
    again = fields_of(page)
    assert isinstance(json.loads(again["seen"]), dict)
    assert staff.post(url_of(market), again).status_code == 302
    assert Market.objects.get().name == "By hand?"


def test_a_settled_market_cannot_be_edited_and_says_why(staff, market):
    sent = fields_of(staff.get(url_of(market))) | {"name": "Did it?"}
    lifecycle.close_market(market_id=market.pk, actor=None, now=timezone.now())
    settled = make_market_that_is("resolved", "Settled?")
    page = staff.get(url_of(settled))
    assert "This market is settled, so its texts and times cannot be edited any more." in words(
        page
    )
    assert 'name="name"' not in page.content.decode()
    assert 'name="_save"' not in page.content.decode()
    assert staff.post(url_of(settled), sent).status_code == 403
    settled.refresh_from_db()
    assert settled.name == "Settled?"


# --- outcomes ---------------------------------------------------------------------------------------------------------


def test_each_field_of_an_outcome_has_a_name_to_who_listens(staff, market):
    page = staff.get(reverse("admin:markets_market_add")).content.decode()
    found = re.findall(r'<input[^>]*name="outcomes-\d+-(?:label|probability)"[^>]*>', page)
    assert len(found) >= 4
    assert all("aria-label=" in one for one in found)


def test_labels_are_corrected_and_probabilities_stay(staff, market):
    sent = fields_of(staff.get(url_of(market))) | {"outcomes-0-label": "It rains"}
    assert staff.post(url_of(market), sent).status_code == 302
    assert [(o.label, o.probability) for o in yes_no(market)] == [
        ("It rains", 500_000),
        ("No", 500_000),
    ]
    assert set(changes_of(market)) == {"outcomes"}


def test_outcomes_of_a_draft_are_added_and_must_sum_to_one(staff, make_market):
    market = make_market(status="draft")
    sent = fields_of(staff.get(url_of(market)))
    more = {
        "outcomes-TOTAL_FORMS": "3",
        "outcomes-2-label": "Maybe",
        "outcomes-2-probability": "0.5",
    }
    page = staff.post(url_of(market), sent | more)
    assert page.status_code == 200
    assert "sum" in words(page)
    assert fields_of(page)["outcomes-2-label"] == "Maybe"
    fixed = {"outcomes-0-probability": "0.25", "outcomes-1-probability": "0.25"}
    assert staff.post(url_of(market), sent | more | fixed).status_code == 302
    assert [(o.label, o.probability) for o in yes_no(market)] == [
        ("Yes", 250_000),
        ("No", 250_000),
        ("Maybe", 500_000),
    ]


def test_a_text_edit_over_somebodys_newer_outcomes_keeps_theirs(staff, make_market):
    market = make_market(status="draft")
    sent = fields_of(staff.get(url_of(market))) | {"description": "Mine."}
    edit_now(market, outcomes=[OutcomeDraft("Si", 250_000), OutcomeDraft("No", 750_000)])
    page = staff.post(url_of(market), sent)
    if page.status_code == 200:
        assert fields_of(page)["description"] == "Mine."
    assert [(o.label, o.probability) for o in yes_no(market)] == [("Si", 250_000), ("No", 750_000)]


def test_labels_that_somebody_else_corrected_meanwhile_are_kept(staff, market):
    sent = fields_of(staff.get(url_of(market))) | {"description": "Mine."}
    edit_now(market, outcomes=[OutcomeDraft("Si", 500_000), OutcomeDraft("No", 500_000)])
    assert staff.post(url_of(market), sent).status_code == 302
    assert [o.label for o in yes_no(market)] == ["Si", "No"]
    assert Market.objects.get().description == "Mine."


def test_labels_that_both_corrected_are_not_overwritten_unseen(staff, market):
    sent = fields_of(staff.get(url_of(market))) | {"outcomes-0-label": "Mine"}
    edit_now(market, outcomes=[OutcomeDraft("Theirs", 500_000), OutcomeDraft("No", 500_000)])
    page = staff.post(url_of(market), sent)
    assert page.status_code == 200
    assert "to “Theirs 0.5, No 0.5”. Save again to put yours on top." in words(page)
    assert [o.label for o in yes_no(market)] == ["Theirs", "No"]
    assert fields_of(page)["outcomes-0-label"] == "Mine"
    assert staff.post(url_of(market), fields_of(page)).status_code == 302
    assert [o.label for o in yes_no(market)] == ["Mine", "No"]


@pytest.mark.parametrize("junk", ["abc", "-1", "9" * 30, "\x00"])
def test_an_outcome_that_is_none_is_no_server_error(staff, market, junk):
    sent = fields_of(staff.get(url_of(market))) | {"outcomes-0-id": junk}
    assert staff.post(url_of(market), sent).status_code in {200, 400}
    for total in ("abc", "-1", "100000", ""):
        sent = fields_of(staff.get(url_of(market))) | {"outcomes-TOTAL_FORMS": total}
        assert staff.post(url_of(market), sent).status_code in {200, 302, 400}
    assert [o.label for o in yes_no(market)] == ["Yes", "No"]


def test_an_edit_with_a_time_before_now_is_refused_at_its_field(staff, market):
    sent = fields_of(staff.get(url_of(market)))
    page = staff.post(url_of(market), sent | {"close_at_0": f"{NOW + timedelta(days=1):%Y-%m-%d}", "close_at_1": "12:00"})  # fmt: skip
    assert page.status_code == 200
    assert "This time has passed: set a later one" in words(page)


def test_what_was_typed_into_what_the_opening_has_fixed_is_not_dropped_in_silence(
    staff, make_market
):
    market = make_market(status="draft")
    sent = fields_of(staff.get(url_of(market))) | {"description": "Mine.", "liquidity": "250"}
    lifecycle.open_market(market_id=market.pk, actor=None, now=NOW)
    page = staff.post(url_of(market), sent)
    assert "The market opened while you were writing" in words(page)
    market.refresh_from_db()
    assert market.description == ""
    assert staff.post(url_of(market), fields_of(page)).status_code == 302, "the rest is saved"
    market.refresh_from_db()
    assert (market.description, market.liquidity) == ("Mine.", 100_000_000)


def test_a_draft_that_has_closed_before_it_opens_says_so(staff, make_market):
    market = make_market(status="draft", close_at=NOW + timedelta(days=1))
    page = staff.get(url_of(market))
    answer = staff.post(url_of(market), {**fields_of(page), "description": "x"}, follow=True)
    assert "The closing time has passed: set a later one to open it." in words(answer)


def test_a_text_saved_over_an_opening_is_no_conflict(staff, make_market):
    market = make_market(status="draft")
    sent = fields_of(staff.get(url_of(market))) | {"description": "Mine."}
    lifecycle.open_market(market_id=market.pk, actor=None, now=NOW)
    assert staff.post(url_of(market), sent).status_code == 302
    market.refresh_from_db()
    assert (market.description, market.status) == ("Mine.", "active")


def test_a_new_market_is_not_made_again_by_going_back_and_saving_again(staff, world):
    add = "/admin/markets/market/add/"
    sent = fields_of(staff.get(add)) | {
        "name": "Once?", "outcomes-0-label": "Yes", "outcomes-1-label": "No"
    }  # fmt: skip
    assert staff.post(add, sent).status_code == 302
    assert "This form was saved already" in words(staff.post(add, sent))
    assert Market.objects.count() == 1
    fresh = sent | {"once": fields_of(staff.get(add))["once"]}
    assert staff.post(add, fresh).status_code == 302, "another one of the same name is no mistake"
