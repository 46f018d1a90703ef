"""Accounts as people use them: in a browser, by mouse, by keyboard, on a phone."""

import re
from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from markets.models import Invitation
from markets.services import invitations
from tests.support.axe import assert_accessible
from tests.support.browser import (
    fill_in_sign_in,
    needs_chromium,
    open_list,
    picture,
    press,
    sidebar,
    sign_in_by_hand,
    tick,
)
from tests.support.factory import yes_no
from tests.support.people import PASSWORD
from tests.support.processes import Server, wait_for
from tests.support.totp import code_of

pytestmark = needs_chromium
NEW = "a long enough secret"
PHONE = {"width": 390, "height": 844}


@pytest.fixture(scope="module")
def _strict(django_db_setup, django_db_blocker):
    """A site by invitation whose staff need a second factor; its mails are in its output."""
    with django_db_blocker.unblock():
        server = Server(
            SIGN_UP="invitation",
            STAFF_SECOND_FACTOR="1",
            EMAIL_BACKEND="django.core.mail.backends.console.EmailBackend",
        )
    yield server
    server.end()


@pytest.fixture
def strict(world, _strict):
    return _strict


def order_page(server, market):
    outcome = yes_no(market)[0].pk
    return f"{server.url}{market.get_absolute_url()}?outcome={outcome}&side=buy&amount=25"


def join(page, name):
    page.get_by_label("Name", exact=True).fill(name)
    page.get_by_label("Password").fill(NEW)
    page.get_by_role("main").get_by_role("button", name="Join").click()


def confirm_password(page):
    page.get_by_label("Password").fill(PASSWORD)
    press(page, "Confirm")


def set_up_app(page):
    """From the page of the second factor to the recovery codes; give the secret."""
    page.get_by_role("link", name="Set up an app").click()
    confirm_password(page)
    secret = page.get_by_label("Authenticator secret").input_value()
    page.get_by_label("Code").fill(code_of(secret))
    press(page, "Activate")
    page.get_by_role("heading", name="Recovery Codes").wait_for()
    return secret


def sign_out(page, server):
    page.goto(f"{server.url}/settings")
    press(page, "Sign out")
    page.wait_for_url(f"{server.url}/")


@pytest.mark.parametrize("javascript", [True, False])
def test_a_stranger_comes_from_a_market_joins_and_comes_back_to_the_order(
    server, market, browser, javascript
):
    context = browser.new_context(viewport=PHONE, java_script_enabled=javascript)
    page = context.new_page()
    address = order_page(server, market)
    page.goto(address)
    page.get_by_role("banner").get_by_role("link", name="Join").click()
    expect(page.get_by_text("You begin with 1,000 credits of play money.")).to_be_visible()
    expect(page.get_by_text("Then you come back to your trade.")).to_be_visible()
    page.get_by_role("main").get_by_role("link", name="Sign in").click()  # looks around …
    page.get_by_role("main").get_by_role("link", name="Join").click()  # … and nothing is lost
    join(page, "adm1n")
    expect(page.get_by_text("sounds as if you spoke for this site")).to_be_visible()
    expect(page.get_by_label("Name", exact=True)).to_be_focused()
    join(page, "anna")
    page.wait_for_url(address)
    expect(page.get_by_role("link", name="Your portfolio")).to_be_visible()
    context.close()


def test_somebody_signs_out_and_in_again_by_keyboard_alone(server, bob, page):
    def tab_to(control):
        for _ in range(40):
            if control.evaluate("element => element === document.activeElement"):
                return
            page.keyboard.press("Tab")
        raise AssertionError(f"no way to {control}")

    page.goto(f"{server.url}/account/login/?next=/settings")
    expect(page.get_by_label("Name or e-mail")).to_be_focused()
    page.keyboard.type("bob")
    page.keyboard.press("Tab")
    page.keyboard.type("wrong")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("do not belong together")
    expect(page.get_by_label("Password")).to_be_focused()
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url(f"{server.url}/settings")
    tab_to(page.get_by_label("Name", exact=True))
    page.keyboard.press("Control+A")
    page.keyboard.type("robert")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_contain_text("You are called robert now.")
    tab_to(page.get_by_role("button", name="Sign out"))
    page.keyboard.press("Enter")
    page.wait_for_url(f"{server.url}/")
    expect(page.get_by_role("banner").get_by_role("link", name="Sign in")).to_be_visible()


def test_a_forgotten_password_is_reset_by_the_link_in_the_mail(strict, bob, page):
    page.goto(f"{strict.url}/account/login/")
    page.get_by_role("link", name="Forgot your password?").click()
    page.get_by_label("Email").fill("bob@example.org")
    press(page, "Send the link")
    expect(page.get_by_role("heading", name="Look into your mail")).to_be_visible()
    link = wait_for(lambda: re.search(rf"{strict.url}/account/password/reset/key/\S+", strict.output()))  # fmt: skip
    page.goto(link[0])
    page.get_by_label("New Password", exact=True).fill(NEW)
    page.get_by_label("New Password (again)").fill(NEW)
    press(page, "Change the password")
    page.get_by_role("main").get_by_role("link", name="Sign in").click()
    page.get_by_label("Name or e-mail").fill("bob")
    page.get_by_label("Password").fill(NEW)
    press(page, "Sign in")
    page.wait_for_url(f"{strict.url}/")
    page.goto(link[0])
    expect(page.get_by_role("heading", name="This link works no more")).to_be_visible()
    page.get_by_role("link", name="Send me a new link").click()
    expect(page.get_by_label("Email")).to_be_focused()


def test_a_second_factor_is_set_up_asked_for_and_replaced_by_a_recovery_code(
    server, alice, bob, page, browser
):
    sign_in_by_hand(page, server, "bob", to="/settings")
    page.get_by_role("link", name="Second factor").click()
    secret = set_up_app(page)
    picture(page, "recovery-codes")
    recovery = page.get_by_label("Unused codes").input_value().split()[0]

    sign_out(page, server)
    page.goto(f"{server.url}/account/login/?next=/settings")
    fill_in_sign_in(page, "bob")
    page.get_by_label("Code").fill("000000")
    press(page, "Sign in")
    expect(page.get_by_text("This code is not right.")).to_be_visible()
    assert_accessible(page)
    page.get_by_label("Code").fill(code_of(secret, later=1))  # each is good once
    press(page, "Sign in")
    page.wait_for_url(f"{server.url}/settings")

    sign_out(page, server)
    page.goto(f"{server.url}/account/login/?next=/settings")
    fill_in_sign_in(page, "bob")
    page.get_by_label("Code").fill(recovery)
    press(page, "Sign in")
    page.wait_for_url(f"{server.url}/settings")
    sign_out(page, server)

    admin = browser.new_context().new_page()  # phone and codes are lost: staff help
    sign_in_by_hand(admin, server, "alice")
    admin.goto(f"{server.url}/admin/auth/user/{bob.pk}/change/")
    admin.get_by_role("link", name="Remove the second factor").click()
    admin.get_by_label("Reason").fill("Lost the phone; I know the voice.")
    press(admin, "Show what will happen")
    press(admin, "Remove")
    expect(admin.get_by_text("The second factor of bob is removed.")).to_be_visible()
    sign_in_by_hand(page, server, "bob", to="/settings")


def test_a_passkey_signs_somebody_in_without_a_password(server, bob, page):
    site = f"http://localhost:{server.port}"  # passkeys are for names, not for addresses
    chromium = page.context.new_cdp_session(page)
    chromium.send("WebAuthn.enable")
    options = {"protocol": "ctap2", "transport": "internal", "automaticPresenceSimulation": True}
    able = {"hasResidentKey": True, "hasUserVerification": True, "isUserVerified": True}
    chromium.send("WebAuthn.addVirtualAuthenticator", {"options": options | able})

    page.goto(f"{site}/account/login/?next=/settings")
    fill_in_sign_in(page, "bob")
    page.get_by_role("link", name="Passkeys").click()
    page.get_by_role("link", name="Add a passkey").click()
    confirm_password(page)
    page.get_by_label("Name", exact=True).fill("This laptop")
    assert_accessible(page)
    press(page, "Add")
    page.get_by_role("heading", name="Recovery Codes").wait_for()
    page.goto(f"{site}/account/2fa/webauthn/")
    expect(page.get_by_text("This laptop")).to_be_visible()
    assert_accessible(page)
    page.goto(f"{site}/settings")
    press(page, "Sign out")
    page.wait_for_url(f"{site}/")

    page.goto(f"{site}/account/login/?next=/settings")
    press(page, "Sign in with a passkey")
    page.wait_for_url(f"{site}/settings")
    expect(page.get_by_label("Name", exact=True)).to_have_value("bob")


def test_staff_set_up_a_second_factor_and_go_on_to_where_they_wanted(strict, alice, page):
    page.goto(f"{strict.url}/admin/markets/market/")
    fill_in_sign_in(page, "alice")
    expect(page.get_by_text("Staff of this site need a second factor")).to_be_visible()
    picture(page, "second-factor-wanted")
    set_up_app(page)
    page.get_by_role("link", name="Go on to the admin").click()
    page.wait_for_url(f"{strict.url}/admin/markets/market/")
    expect(sidebar(page, "Invitations")).to_be_visible()


def test_somebody_joins_by_the_link_that_staff_have_made(strict, alice, page, browser):
    page.goto(f"{strict.url}/admin/")
    fill_in_sign_in(page, "alice")
    set_up_app(page)
    page.get_by_role("link", name="Go on to the admin").click()
    open_list(page, "Invitations")
    page.get_by_role("link", name="Invite people").click()
    page.get_by_role("spinbutton", name="How many*").fill("2")
    page.get_by_label("Note").fill("For friends")
    press(page, "Make the links")
    first, second = page.get_by_label("Links, one for each person").input_value().split()
    page.get_by_role("link", name="I have copied them").click()

    guest = browser.new_context(viewport=PHONE).new_page()
    guest.goto(first)
    join(guest, "anna")
    guest.wait_for_url(f"{strict.url}/")
    other = browser.new_context(viewport=PHONE).new_page()
    other.goto(first)
    expect(other.get_by_role("alert")).to_contain_text("This invitation was used already")
    assert_accessible(other)

    page.reload()
    expect(page.get_by_role("cell", name="anna", exact=True)).to_be_visible()
    unused = Invitation.objects.get(used_at=None)
    tick(page, str(unused))
    page.get_by_label("Select action to run").select_option("Revoke the chosen invitations")
    press(page, "Run")
    expect(page.get_by_text("1 invitation(s) revoked.")).to_be_visible()
    other.goto(second)
    expect(other.get_by_role("alert")).to_contain_text("This invitation was withdrawn")


SIGNED_OUT = [
    "/account/login/?next=/markets/x%3Famount=1", "/account/signup/", "/account/password/reset/", "/account/password/reset/done/",
    "/account/password/reset/key/1-x/", "/account/password/reset/key/done/", "/account/inactive/", "/account/confirm-email/x/",
    "/account/confirm-email/",
]  # fmt: skip
SIGNED_IN = [
    "/settings", "/account/email/", "/account/password/change/", "/account/2fa/", "/account/2fa/totp/activate/",
    "/account/2fa/webauthn/", "/account/logout/", "/account/reauthenticate/", "/account/2fa/recovery-codes/generate/",
]  # fmt: skip


def test_every_page_is_accessible_and_fits_a_phone(server, bob, page):
    page.set_viewport_size(PHONE)

    def look(path):
        page.goto(f"{server.url}{path}")
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"], path
        picture(page, "account" + re.sub(r"\W+", "-", path))
        assert_accessible(page)

    for path in SIGNED_OUT:
        look(path)
    page.goto(f"{server.url}/account/signup/")
    join(page, "a b")
    assert_accessible(page)
    sign_in_by_hand(page, server, "bob", to="/settings")
    page.goto(f"{server.url}/account/reauthenticate/")
    confirm_password(page)
    for path in SIGNED_IN:
        look(path)
    page.goto(f"{server.url}/account/2fa/")
    page.get_by_role("link", name="Set up an app").click()
    picture(page, "account-totp")
    secret = page.get_by_label("Authenticator secret").input_value()
    page.get_by_label("Code").fill(code_of(secret))
    press(page, "Activate")
    assert_accessible(page)
    look("/account/2fa/")
    look("/account/2fa/totp/deactivate/")


def test_a_site_by_invitation_says_so_accessibly(strict, alice, page):
    page.goto(f"{strict.url}/account/signup/")
    expect(page.get_by_role("heading", name="You need an invitation")).to_be_visible()
    assert_accessible(page)
    now = timezone.now()
    code = invitations.make_invitations(
        actor=alice, count=1, note="", expires_at=now + timedelta(days=1), now=now
    )[0]
    page.goto(f"{strict.url}/account/signup/?invitation={code}")
    expect(page.get_by_label("Name", exact=True)).to_be_focused()
