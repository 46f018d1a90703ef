"""What people have traded on does not change its meaning under them."""

import pytest

from markets.domain.errors import Invalid
from markets.domain.text import OutcomeDraft
from markets.infra.threads import in_thread
from markets.services import catalogue
from tests.support.clock import NOW
from tests.support.factory import order, trade, yes_no

LABELS = {"outcomes": [OutcomeDraft("It rains", 500_000), OutcomeDraft("It does not", 500_000)]}
CRITERIA = {"resolution_criteria": "As the office says."}


def edit(market, changes, reason=""):
    return catalogue.edit_market(
        market_id=market.pk, actor=None, now=NOW, changes=changes, reason=reason
    )


@pytest.fixture
def traded(market, bob):
    trade(bob, market, order(yes_no(market)[0]))
    return market


@pytest.mark.parametrize("changes", [LABELS, CRITERIA, {"name": "Will it hail?"}])
def test_name_labels_and_criteria_change_only_with_a_reason_once_somebody_has_traded(
    traded, changes
):
    with pytest.raises(Invalid, match="give the reason") as refusal:
        edit(traded, changes)
    assert list(refusal.value.fields) == ["reason"]
    assert traded.events.count() == 2
    edit(traded, changes, "A mistake in the source.")
    event = traded.events.last()
    assert (event.type, event.payload["reason"]) == ("market.updated", "A mistake in the source.")
    assert set(event.payload["changes"]) == set(changes)


@pytest.mark.parametrize("changes", [LABELS, CRITERIA])
def test_before_the_first_trade_they_need_none(market, changes):
    edit(market, changes)
    assert "reason" not in market.events.last().payload


def test_what_is_not_meant_by_a_trade_needs_no_reason(traded):
    edit(traded, {"description": "More about it.", "category": "Weather"})
    assert traded.events.count() == 3


def test_what_stays_as_it_is_needs_no_reason(traded):
    edit(traded, {"resolution_criteria": ""})
    assert traded.events.count() == 2


async def test_the_page_shows_what_was_corrected_and_why(client, traded):
    await in_thread(edit, traded, LABELS | CRITERIA, "A mistake in <the> source.")
    page = (await client.get(traded.get_absolute_url())).text
    assert "What was changed" in page
    for text in ("A mistake in &lt;the&gt; source.", "It rains", "the office says."):
        assert text in page, text


async def test_the_page_of_a_market_without_corrections_says_nothing_of_them(client, market):
    assert "What was changed" not in (await client.get(market.get_absolute_url())).text


async def test_the_api_takes_the_reason_and_names_the_field(staff, traded):
    url, match = f"/api/v1/markets/{traded.pk}", {"If-Match": "1"}
    refused = await staff.patch(url, json=CRITERIA, headers=match)
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "reason")
    edited = await staff.patch(url, json={**CRITERIA, "reason": "A mistake."}, headers=match)
    assert edited.json()["resolution_criteria"] == "As the office says."
    log = (await staff.get(f"{url}/events")).json()["items"]
    assert log[-1]["reason"] == "A mistake."


def test_labels_do_not_change_places_under_those_who_hold_them(traded):
    swapped = {"outcomes": [OutcomeDraft("No", 500_000), OutcomeDraft("Yes", 500_000)]}
    with pytest.raises(Invalid, match="cannot change places"):
        edit(traded, swapped, "A mistake.")
    assert [outcome.label for outcome in yes_no(traded)] == ["Yes", "No"]


def test_labels_alone_are_corrected_without_repeating_the_probabilities(make_market, bob):
    drafts = [OutcomeDraft("Yes", 700_000), OutcomeDraft("No", 300_000)]
    market = make_market(outcomes=drafts)
    trade(bob, market, order(yes_no(market)[0]))
    edit(market, {"outcomes": [OutcomeDraft("It rains"), OutcomeDraft("It is dry")]}, "Clearer.")
    found = [(o.label, o.probability) for o in market.outcomes.all()]
    assert found == [("It rains", 700_000), ("It is dry", 300_000)]


async def test_the_api_takes_the_reason_of_an_unresolution(staff, market):
    outcome = (await staff.get(f"/api/v1/markets/{market.pk}")).json()["outcomes"][0]["id"]
    await staff.post(f"/api/v1/markets/{market.pk}/resolve", json={"outcome_id": outcome})
    path = f"/api/v1/markets/{market.pk}/unresolve"
    assert (await staff.post(path, json={"note": "Too early."})).status_code == 200
    event = await in_thread(market.events.last)
    assert (event.type, event.payload["note"]) == ("market.unresolved", "Too early.")
