"""Two pairs of eyes, by mouse: one proposes a resolution, a holder objects, another approves; and one rejects."""

import pytest
from playwright.sync_api import expect

from markets.domain.amounts import MICRO
from markets.models import Market, Proposal
from markets.services import lifecycle
from tests.support.browser import begin, needs_chromium, open_row, picture, press, sign_in_by_hand
from tests.support.clock import NOW
from tests.support.factory import balance, order, trade, yes_no
from tests.support.people import person
from tests.support.processes import serving

pytestmark = needs_chromium


@pytest.fixture
def closed(market, bob):
    """A closed market in which bob, of the staff himself, holds ten shares of Yes."""
    trade(bob, market, order(yes_no(market)[0]))
    bob.is_staff = True
    bob.save()
    return lifecycle.close_market(market_id=market.pk, actor=None, now=NOW)


@pytest.fixture
def resolvers(staff_member):
    for name in ("rita", "rolf"):
        staff_member(name, groups=("Resolvers",))


def propose(page, market, note):
    open_row(page, "Markets", market.name)
    begin(page, "Propose a resolution")
    press(page, "Yes")
    page.get_by_label("Note").fill(note)
    press(page, "Show what will happen")
    expect(page.get_by_text("Nothing is paid yet")).to_be_visible()
    picture(page, "propose")
    press(page, "Propose it")
    expect(page.get_by_text("Another person approves or rejects it.")).to_be_visible()


def test_one_proposes_a_holder_objects_and_another_rejects(closed, resolvers, bob, browser):
    with serving(RESOLUTION_REVIEW_HOURS="24") as server:
        rita, rolf, holder = (browser.new_page() for _ in range(3))
        sign_in_by_hand(rita, server, "rita")
        propose(rita, closed, "As I saw it.")
        begin(rita, "Approve the resolution")
        expect(rita.get_by_text("You proposed this resolution yourself")).to_be_visible()

        sign_in_by_hand(holder, server, "bob", to="/")
        holder.goto(f"{server.url}{closed.get_absolute_url()}")
        expect(holder.get_by_role("heading", name="Resolution proposed")).to_be_visible()
        holder.get_by_label("Is it wrong?").fill("It did not rain.")
        press(holder, "Object")
        expect(holder.get_by_text("Your objection is noted")).to_be_visible()
        picture(holder, "objected")

        sign_in_by_hand(rolf, server, "rolf")
        open_row(rolf, "Markets", closed.name)
        begin(rolf, "Approve the resolution")
        expect(rolf.get_by_text("Holders can object until")).to_be_visible()
        rolf.go_back()
        begin(rolf, "Reject the proposal")
        rolf.get_by_label("Note").fill("The gauge was dry.")
        press(rolf, "Show what will happen")
        expect(rolf.get_by_text("It did not rain.")).to_be_visible()
        press(rolf, "Reject it")
        expect(rolf.get_by_text("The proposal is rejected.")).to_be_visible()
        holder.reload()
        expect(holder.get_by_text("The gauge was dry.")).to_be_visible()
        for page in (rita, rolf, holder):
            page.close()
    assert Market.objects.get(pk=closed.pk).status == "closed"
    assert not Proposal.objects.get().approved


def test_what_one_proposed_another_approves_and_nobody_resolves_alone(
    closed, resolvers, bob, browser
):
    before = balance(bob)
    with serving(RESOLUTION_REVIEW_HOURS="0") as server:
        rita, rolf = browser.new_page(), browser.new_page()
        sign_in_by_hand(rita, server, "rita")
        propose(rita, closed, "It rained.")
        expect(rita.get_by_role("link", name="Resolve", exact=True)).to_have_count(0)
        sign_in_by_hand(rolf, server, "rolf")
        open_row(rolf, "Markets", closed.name)
        begin(rolf, "Approve the resolution")
        expect(rolf.get_by_text("Largest gains")).to_be_visible()
        picture(rolf, "approve")
        press(rolf, "Approve, resolve and pay")
        expect(rolf.get_by_text("is resolved, and its traders are paid")).to_be_visible()
        rita.close()
        rolf.close()
    assert balance(bob) == before + 10 * MICRO
    assert Proposal.objects.get().approved
    assert Market.objects.get(pk=closed.pk).resolutions.get().note == "It rained."


def test_a_person_without_the_right_finds_no_proposal_to_approve(closed, resolvers, browser):
    person("vera", is_staff=True)
    with serving(RESOLUTION_REVIEW_HOURS="0") as server:
        rita, vera = browser.new_page(), browser.new_page()
        sign_in_by_hand(rita, server, "rita")
        propose(rita, closed, "It rained.")
        sign_in_by_hand(vera, server, "vera")
        address = f"{server.url}/admin/markets/market/{closed.pk}/approve/"
        assert vera.request.get(address).status == 403
        rita.close()
        vera.close()
