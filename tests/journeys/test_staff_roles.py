"""What each kind of staff finds in the admin, what it does there by mouse, and how markets are written by hand."""

import re
from pathlib import Path
from typing import NamedTuple

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from markets.domain.amounts import MICRO
from markets.models import Market, Report
from markets.services import catalogue, ledger
from markets.services.report_files import request_report
from markets.tasks import reactions
from tests.support.browser import (
    begin,
    choose,
    needs_chromium,
    offered,
    open_list,
    picture,
    press,
    sidebar,
    sign_in_by_hand,
    tick,
)
from tests.support.factory import balance, order, resolve, trade, yes_no
from tests.support.processes import serving

pytestmark = needs_chromium


class Role(NamedTuple):
    """Who somebody is, and the actions offered on a list: None when the list cannot be reached at all."""

    rights: dict[str, tuple[str, ...]]
    markets: set[str] | None
    accounts: set[str] | None


OPERATE, SETTLE = (
    {"Schedule", "Open", "Pause", "Close", "Move", "Set", "Add", "Duplicate"},
    {"Cancel"},
)
# the buttons of an active market's own page
MOVES = {
    "view-only staff": set(), "auditor": set(), "editor": {"Pause", "Close"},
    "resolver": {"Resolve", "Cancel"}, "editor who resolves": {"Pause", "Close", "Resolve", "Cancel"},
}  # fmt: skip
VIEWS = ("view_market", "view_outcome", "view_event", "view_account")
ROLES = {
    "staff without permissions": Role({}, None, None),
    "view-only staff": Role({"permissions": VIEWS}, set(), set()),
    "editor": Role({"groups": ("Market editors",)}, OPERATE, None),
    "resolver": Role({"groups": ("Resolvers",)}, SETTLE, None),
    "treasurer": Role({"groups": ("Treasurers",)}, None, {"Grant"}),
    "auditor": Role({"groups": ("Auditors",)}, set(), set()),
    "editor who resolves": Role(
        {"groups": ("Market editors", "Resolvers")}, OPERATE | SETTLE, None
    ),
}
# role: what it does, on which list and row, with what beside, and what the message says
OWN_ACTIONS = {
    "editor": ("Pause", "Markets", "Will it rain?", {}, "Markets: 1 paused."),
    "resolver": (
        "Cancel",
        "Markets",
        "Will it rain?",
        {"Note": "Asked twice.", "Write “cancel”": "cancel"},
        "Markets: 1 cancelled.",
    ),
    "treasurer": (
        "Grant",
        "Accounts",
        "trader bob",
        {"Credits": "5", "Reason": "Welcome"},
        "5 credits, Welcome.",
    ),
}
CRITERIA = re.compile("Resolution criteria|How it resolves")
REASON = "Reason for a correction"


@pytest.fixture
def traded(market, bob):
    """A market that somebody has traded on."""
    catalogue.edit_market(
        market_id=market.pk,
        actor=None,
        now=timezone.now(),
        changes={"resolution_criteria": "By the gauge."},
    )
    ledger.open_account(user=bob, now=timezone.now())
    trade(bob, market, order(yes_no(market)[0]))
    return market


def open_market(page, server, name):
    open_list(page, "Markets")
    page.get_by_role("link", name=name).click()
    expect(page.get_by_role("heading", name=name)).to_be_visible()


def outcome_labels(page):
    """The fields have no names of their own, so: the first field of each row."""
    rows = page.get_by_role("group", name="Outcomes").get_by_role("row")
    return [row.get_by_role("textbox") for row in rows.all() if row.get_by_role("textbox").count()]


def save(page):
    page.get_by_role("button", name="Save", exact=True).click()


# --- what each role is offered ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("role", ROLES)
def test_each_role_is_offered_exactly_the_actions_that_it_may_run(
    server, traded, staff_member, page, role
):
    staff_member(**ROLES[role].rights)
    sign_in_by_hand(page, server, "sam")
    for name, row, actions in (
        ("Markets", traded.name, ROLES[role].markets),
        ("Accounts", "bob", ROLES[role].accounts),
    ):
        address = f"{server.url}/admin/markets/{name.lower().removesuffix('s')}/"
        if actions is None:
            expect(page.get_by_role("heading").first).to_be_visible()
            expect(sidebar(page, name)).to_have_count(0)
            assert page.request.get(address).status == 403
            continue
        open_list(page, name)
        assert page.url == address
        expect(page.get_by_role("row").filter(has_text=row)).to_be_visible()
        if actions:
            tick(page, row)
            assert set(offered(page)) == actions
        else:
            expect(page.get_by_role("checkbox")).to_have_count(0)
            expect(page.get_by_label("Select action to run")).to_have_count(0)
            expect(page.get_by_role("button", name="Run", exact=True)).to_have_count(0)


@pytest.mark.parametrize("role", MOVES)
def test_each_role_finds_the_buttons_of_its_moves_on_a_markets_page(
    server, traded, staff_member, page, role
):
    staff_member(**ROLES[role].rights)
    sign_in_by_hand(page, server, "sam")
    open_market(page, server, traded.name)
    every = ("Schedule", "Open", "Pause", "Close", "Resolve", "Unresolve", "Cancel")
    # Unfold's own "Close", below a page that is only read, leads back to the list
    links = {move: page.locator(f'a[href$="/{move.lower()}/"]') for move in every}
    found = {
        move
        for move, link in links.items()
        if page.get_by_role("link", name=move, exact=True).and_(link).count() == 1
    }
    assert found == MOVES[role]


@pytest.mark.parametrize("role", OWN_ACTIONS)
def test_each_role_runs_an_action_of_its_own(server, traded, bob, staff_member, page, role):
    action, name, row, beside, done = OWN_ACTIONS[role]
    before = balance(bob)
    sam = staff_member(**ROLES[role].rights)
    sign_in_by_hand(page, server, "sam")
    open_list(page, name)
    if role == "treasurer":
        choose(page, row, action, **beside).click()
    else:
        choose(page, row, action).click()
        for label, text in beside.items():
            page.get_by_label(label).fill(text)
        if beside:
            press(page, "Show what will happen")
        press(page, "Do it")
    expect(page.get_by_text(done)).to_be_visible()
    traded.refresh_from_db()
    if role == "treasurer":
        assert balance(bob) == before + 5 * MICRO
    else:
        assert done.endswith(f"{traded.status}.")
        assert traded.events.order_by("-seq").first().actor == sam


def test_view_only_staff_read_a_market_and_find_nothing_to_press(
    server, traded, staff_member, page
):
    staff_member(**ROLES["view-only staff"].rights)
    sign_in_by_hand(page, server, "sam")
    open_list(page, "Markets")
    expect(page.get_by_role("link", name="add", exact=True)).to_have_count(0)
    page.get_by_role("link", name=traded.name).click()
    expect(page.get_by_text("By the gauge.", exact=True).first).to_be_visible()
    expect(page.get_by_role("button", name=re.compile("Save|Run|Delete"))).to_have_count(0)
    expect(page.get_by_role("link", name=re.compile("add|Delete"))).to_have_count(0)
    expect(page.get_by_label("Name", exact=True)).to_have_count(0)
    expect(page.get_by_role("region", name="Timeline")).to_contain_text("Created as active")


def test_staff_without_permissions_are_told_so(server, staff_member, page):
    staff_member()
    sign_in_by_hand(page, server, "sam")
    expect(page.get_by_text(re.compile("permission to view or edit")).last).to_be_visible()


# --- markets by hand --------------------------------------------------------------------------------------------------


def test_an_editor_writes_a_market_opens_it_renames_it_and_sees_what_happened(
    server, staff_member, page
):
    staff_member(**ROLES["editor"].rights)
    sign_in_by_hand(page, server, "sam")
    open_list(page, "Markets")
    page.get_by_role("link", name="add", exact=True).click()
    page.get_by_label("Name").fill("Who wins the cup?")
    page.get_by_label("Description").fill("The **final** in June.")
    for field, label in zip(outcome_labels(page), ("Home", "Away"), strict=True):
        field.fill(label)
    save(page)
    expect(page.get_by_text("was added successfully")).to_be_visible()
    market = Market.objects.get()
    assert (market.status, [outcome.label for outcome in yes_no(market)]) == (
        "draft",
        ["Home", "Away"],
    )

    page.get_by_role("link", name="Who wins the cup?", exact=True).last.click()
    begin(page, "Open")
    press(page, "Open for trading")
    expect(page.get_by_text("Who wins the cup? is active now.")).to_be_visible()
    page.get_by_label("Name").fill("Who wins the Cup of 2027?")
    save(page)
    expect(page.get_by_text("was changed successfully")).to_be_visible()
    page.get_by_role("link", name="Who wins the Cup of 2027?", exact=True).last.click()
    picture(page, "what-happened")
    for event in ("Created as draft", "Opened (draft → active)", "Edited"):
        expect(page.get_by_role("region", name="Timeline")).to_contain_text(f"sam · {event}")
    page.get_by_text("About this market").click()
    page.get_by_role("link", name="See it as viewers do").click()
    expect(page.get_by_role("heading", name="Who wins the Cup of 2027?")).to_be_visible()


def test_an_editor_without_rights_on_outcomes_saves_markets(server, staff_member, page):
    staff_member(permissions=("add_market", "change_market", "view_market"))
    sign_in_by_hand(page, server, "sam")
    open_list(page, "Markets")
    page.get_by_role("link", name="add", exact=True).click()
    page.get_by_label("Name").fill("Will it snow?")
    save(page)
    expect(page.get_by_text("was added successfully")).to_be_visible()
    page.get_by_role("link", name="Will it snow?", exact=True).last.click()
    page.get_by_label("Name").fill("Will it snow in May?")
    save(page)
    expect(page.get_by_text("was changed successfully")).to_be_visible()
    market = Market.objects.get()
    assert (market.name, [outcome.label for outcome in yes_no(market)]) == (
        "Will it snow in May?",
        ["Yes", "No"],
    )


def test_a_correction_needs_a_reason_that_everybody_sees(server, traded, staff_member, page):
    staff_member(**ROLES["editor"].rights)
    sign_in_by_hand(page, server, "sam")
    open_market(page, server, traded.name)
    page.get_by_label("Description").fill("Rain in Bern.")
    page.get_by_label(CRITERIA).fill("By the gauge at the airport.")
    save(page)

    refusal = page.get_by_text("People have traded on this: give the reason")
    expect(refusal).to_have_count(1)
    field, said = page.get_by_label(REASON).bounding_box(), refusal.bounding_box()
    assert 0 < said["y"] - field["y"] < 120, "the refusal stands at its field"
    expect(page.get_by_label("Description")).to_have_value("Rain in Bern.")
    expect(page.get_by_label(CRITERIA)).to_have_value("By the gauge at the airport.")
    picture(page, "refused-correction")
    traded.refresh_from_db()
    assert (traded.description, traded.resolution_criteria) == ("", "By the gauge.")

    page.get_by_label(REASON).fill("There are two gauges in town.")
    save(page)
    expect(page.get_by_text("was changed successfully")).to_be_visible()
    traded.refresh_from_db()
    assert traded.resolution_criteria == "By the gauge at the airport."
    page.goto(f"{server.url}{traded.get_absolute_url()}")
    expect(page.get_by_text("By the gauge at the airport.").first).to_be_visible()
    expect(page.get_by_text("There are two gauges in town.")).to_be_visible()
    picture(page, "public-correction")


def test_a_settled_market_is_not_edited_and_its_page_says_so(server, alice, make_market, page):
    market = resolve(make_market(), yes=MICRO)
    sign_in_by_hand(page, server, "alice")
    open_market(page, server, market.name)
    expect(page.get_by_text("This market is settled, so its texts and times")).to_be_visible()
    expect(page.get_by_label("Name", exact=True)).to_have_count(0)
    expect(page.get_by_role("button", name=re.compile("Save"))).to_have_count(0)
    picture(page, "settled")


def test_an_auditor_downloads_a_report(traded, staff_member, page, tmp_path, settings):
    settings.MEDIA_ROOT = tmp_path
    sam = staff_member(**ROLES["auditor"].rights)
    report = request_report(
        actor=sam, now=timezone.now(), kind=Report.Kind.MARKET_HISTORY, market_id=traded.pk
    )
    reactions.build_report(report.pk)
    with serving(MEDIA_ROOT=str(tmp_path)) as server:
        sign_in_by_hand(page, server, "sam")
        open_list(page, "Reports")
        page.get_by_role("link", name=str(report.pk), exact=True).click()
        with page.expect_download() as waiting:
            page.get_by_role("link", name="Download").click()
        assert waiting.value.suggested_filename == f"market_history-{report.pk}.csv"
        lines = Path(waiting.value.path()).read_text().splitlines()
    assert lines[0].startswith("seq,at,type")
    assert [line.split(",")[2] for line in lines[1:]] == list(
        traded.events.order_by("seq").values_list("type", flat=True)
    )
