"""A real browser. Its fixtures are for tests/journeys, whose conftest takes them from here."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, sync_playwright

from tests.support.people import PASSWORD

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]

needs_chromium = pytest.mark.skipif(
    CHROMIUM is None, reason="needs Chromium (Debian: apt-get install chromium; or set CHROMIUM)"
)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One for a module, none of whose tests is async: Playwright's loop runs in this thread until the module ends."""
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"  # the database is used between Playwright's calls
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield chromium
        chromium.close()
    del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page that fails the test when a script of it fails or something is blocked."""
    page = browser.new_page()
    page.set_default_timeout(10_000)
    complaints = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on(
        "console",
        lambda message: (
            complaints.append(message.text)
            if message.type == "error"
            and "status of 422" not in message.text  # a form says what is wrong
            else None
        ),
    )
    page.on(
        "dialog",
        lambda dialog: (
            complaints.append(f"a script of the text ran: {dialog.message}"),
            dialog.dismiss(),
        ),
    )
    yield page
    page.close()
    assert not complaints


def sign_in_by_hand(page: Page, server: Any, name: str, *, to: str = "/admin/") -> None:
    page.goto(f"{server.url}/account/login/?next={to}")
    fill_in_sign_in(page, name)
    page.wait_for_url(f"{server.url}{to}")


def fill_in_sign_in(page: Page, name: str) -> None:
    page.get_by_label("Name or e-mail").fill(name)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()


def open_list(page: Page, name: str) -> None:
    """By the link of the sidebar."""
    sidebar(page, name).click()
    page.get_by_role("heading", name=name).first.wait_for()


def sidebar(page: Page, name: str) -> Locator:
    """A link of the sidebar, also with the count of what waits behind it."""
    titled = re.compile(rf"^{re.escape(name)}( [\d,]+\+?)?$")
    return page.get_by_role("navigation").get_by_role("link", name=titled)


def tick(page: Page, row: str) -> None:
    page.get_by_role("row", name=row).get_by_role("checkbox").check()


def offered(page: Page) -> dict[str, str]:
    """The actions to choose from: the first word of each, and all of it."""
    options = page.get_by_label("Select action to run").get_by_role("option").all_inner_texts()
    return {
        option.split()[0].rstrip("…"): option for option in options if option != "Select action"
    }


def choose(page: Page, row: str, action: str, **beside: str) -> Locator:
    """Tick the row, choose the action by its first word, fill what stands beside it; give the button that runs it."""
    tick(page, row)
    page.get_by_label("Select action to run").select_option(label=offered(page)[action])
    for label, text in beside.items():
        page.get_by_label(label, exact=True).fill(text)
    return page.get_by_role("button", name="Run", exact=True)


def press(page: Page, name: str) -> None:
    page.get_by_role("button", name=name, exact=True).click()


def open_row(page: Page, list_name: str, name: str) -> None:
    """The page of a row, by its link in its list."""
    open_list(page, list_name)
    page.get_by_role("link", name=name).first.click()
    page.get_by_role("heading", name=name).first.wait_for()


def begin(page: Page, move: str) -> None:
    """Press the button of a move on a market's page."""
    page.get_by_role("heading").first.wait_for()
    menu = page.get_by_role("link", name="more_horiz")  # in its place on a phone
    if menu.is_visible():
        menu.click()
    page.get_by_role("link", name=move, exact=True).click()
    page.wait_for_url(f"**/{move.split(maxsplit=1)[0].lower()}/")


def picture(page: Page, name: str) -> None:
    """For people to look at, when they ask: `PICTURES=1`."""
    if os.environ.get("PICTURES"):
        Path("/tmp/journeys").mkdir(exist_ok=True)
        page.screenshot(path=f"/tmp/journeys/{name}.png")
