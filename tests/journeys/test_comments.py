"""People give each other reasons, and staff look after it: by mouse, by keyboard, on a phone."""

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from markets.domain.amounts import MICRO
from markets.models import Comment
from markets.services import comments
from tests.support.axe import assert_accessible
from tests.support.browser import begin, needs_chromium, picture, press, sign_in_by_hand
from tests.support.factory import order, trade, yes_no
from tests.support.people import person
from tests.support.probes import OUT_OF_BOX, SIDE_SCROLL, SMALL_TARGETS

pytestmark = needs_chromium

PAGE = "/markets/will-it-rain"


def say(market, who, said, **facts):
    ids = {"market_id": market.pk, "author": who, "now": timezone.now()}
    return comments.write(said=said, **ids, **facts)[0]


def talk(page):
    return page.locator(".talk")


def test_a_reason_is_written_answered_and_seen_by_who_looks_on(server, market, bob, browser, page):
    trade(bob, market, order(yes_no(market)[0], shares=12 * MICRO), now=timezone.now())
    onlooker = browser.new_page()
    onlooker.goto(f"{server.url}{PAGE}")
    onlooker.locator(".pulse.live").wait_for()
    sign_in_by_hand(page, server, "bob", to=PAGE)
    page.get_by_label("What do you think, and why?").fill("The glass *falls*.")
    page.get_by_role("button", name="Comment").click()
    expect(talk(page).get_by_text("The glass falls.")).to_be_visible()
    expect(talk(onlooker).get_by_text("The glass falls.")).to_be_visible()
    expect(talk(onlooker).get_by_text("holds 12 Yes")).to_be_visible()
    expect(onlooker.locator("summary", has_text="Answer")).to_have_count(0)
    page.locator("summary", has_text="Answer").click()
    page.get_by_label("Your answer").fill("And so it rained.")
    page.get_by_role("button", name="Send the answer").click()
    expect(talk(onlooker).get_by_text("And so it rained.")).to_be_visible()
    picture(page, "comments")
    assert_accessible(page)
    onlooker.close()


def test_by_keyboard_alone_one_writes_and_mends_a_reason(server, market, bob, page):
    sign_in_by_hand(page, server, "bob", to=PAGE)
    page.get_by_label("What do you think, and why?").focus()
    page.keyboard.type("The glass fals.")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(talk(page).get_by_text("The glass fals.").first).to_be_visible()
    edit = talk(page).locator("summary", has_text="Edit")
    edit.focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.press("ControlOrMeta+A")
    page.keyboard.type("The glass falls.")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(talk(page).locator(".prose").first).to_have_text("The glass falls.")
    page.get_by_role("link", name="What it said before").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_text("The glass fals.")).to_be_visible()
    assert_accessible(page)


def test_what_somebody_writes_stays_while_others_write(server, market, bob, alice, page):
    mine = say(market, alice, "It is broken.")
    sign_in_by_hand(page, server, "bob", to=PAGE)
    page.locator(".pulse.live").wait_for()
    page.locator("summary", has_text="Answer").click()
    page.get_by_label("Your answer").fill("Half a thou")
    say(market, alice, "Look at it.")
    comments.edit(comment_id=mine.pk, author=alice, said="It was broken.", now=timezone.now())
    page.get_by_label("What do you think, and why?").fill("Another thou")
    page.wait_for_timeout(1500)  # whatever came has come
    expect(talk(page).get_by_text("Look at it.")).to_have_count(0)
    expect(page.get_by_label("Your answer")).to_have_value("Half a thou")
    expect(page.get_by_label("What do you think, and why?")).to_have_value("Another thou")
    page.get_by_label("Your answer").fill("Half a thought, whole.")
    page.get_by_role("button", name="Send the answer").click()
    expect(talk(page).get_by_text("Half a thought, whole.").first).to_be_visible()
    expect(talk(page).get_by_text("Look at it.")).to_be_visible()


def test_what_came_meanwhile_is_shown_when_one_has_done(server, market, bob, alice, page):
    say(market, alice, "It is broken.")
    sign_in_by_hand(page, server, "bob", to=PAGE)
    page.locator(".pulse.live").wait_for()
    answer = page.locator("summary", has_text="Answer")
    answer.click()
    say(market, alice, "Look at it.")
    page.wait_for_timeout(1500)
    expect(page.get_by_label("Your answer")).to_be_visible()
    answer.click()
    page.locator("h1").click()
    expect(talk(page).get_by_text("Look at it.")).to_be_visible()


def test_a_refused_comment_stays_live_at_the_market_s_address(server, market, bob, alice, page):
    sign_in_by_hand(page, server, "bob", to=PAGE)
    page.get_by_label("What do you think, and why?").fill("https://example.org")
    page.get_by_role("button", name="Comment").click()
    expect(talk(page).get_by_role("alert")).to_have_text("Say in a few words what the link shows.")
    expect(page.get_by_label("What do you think, and why?")).to_be_focused()
    assert page.url.endswith(PAGE)
    page.locator(".pulse.live").wait_for()
    say(market, alice, "Look at it.")
    expect(talk(page).get_by_text("Look at it.")).to_be_visible()
    expect(page.get_by_label("What do you think, and why?")).to_have_value("https://example.org")


def test_one_reports_and_staff_hide_and_show_again(
    server, market, bob, staff_member, page, browser
):
    comment = say(market, person("troll"), "Rude words")
    sign_in_by_hand(page, server, "bob", to=PAGE)
    page.locator("summary", has_text="Report").click()
    page.get_by_label("What is wrong with it?").fill("It is rude.")
    page.get_by_role("button", name="Send the report").click()
    expect(page.get_by_text("Thank you. Staff will look at it.")).to_be_visible()
    page.locator(".pulse.live").wait_for()
    staff_member("ed", groups=("Market editors",))
    desk = browser.new_page()
    sign_in_by_hand(desk, server, "ed")
    picture(desk, "reported")
    desk.get_by_role("link", name="Rude words").click()
    expect(desk.get_by_text("It is rude.", exact=True)).to_be_visible()
    begin(desk, "Hide")
    expect(desk.get_by_text("Nobody but staff will see its words")).to_be_visible()
    press(desk, "Hide it")
    expect(desk.get_by_text("The comment is hidden.")).to_be_visible()
    expect(talk(page).get_by_text("Staff have hidden this comment.")).to_be_visible()
    assert "Rude words" not in page.content()
    begin(desk, "Show again")
    press(desk, "Show it again")
    expect(talk(page).get_by_text("Rude words")).to_be_visible()
    desk.close()
    assert not Comment.objects.get(pk=comment.pk).reports.filter(decided_at=None).exists()


@pytest.mark.parametrize("width", [320, 390])
def test_comments_of_all_shapes_stay_in_their_place_on_a_phone(server, market, bob, page, width):
    long = person("a" * 30)
    reason = say(market, long, f"{'W' * 200} https://example.org/{'x' * 300}")
    say(market, bob, "> quoted\n\n- list\n- more\n\n`code` \u202eturned", parent_id=reason.pk)
    page.set_viewport_size({"width": width, "height": 800})
    sign_in_by_hand(page, server, "bob", to=PAGE)
    page.evaluate("for (const d of document.querySelectorAll('details')) d.open = true")
    for probe in (SIDE_SCROLL, OUT_OF_BOX, SMALL_TARGETS):
        assert page.evaluate(probe) == []
    picture(page, f"comments-{width}")
    assert_accessible(page)
