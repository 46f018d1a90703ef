"""Whether a page is accessible, as axe-core sees it: WCAG 2.2 AA and best practice."""

from __future__ import annotations

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


def assert_accessible(page: Page) -> None:
    """Nothing is found, in the light and in the dark. The page is left light."""
    for scheme in ("dark", "light"):
        page.emulate_media(color_scheme=scheme)
        found = Axe().run(page, options={"runOnly": {"type": "tag", "values": TAGS}})
        said = [
            f"{one['id']}: {one['help']}: " + "; ".join(node["html"][:200] for node in one["nodes"])
            for one in found.response["violations"]
        ]
        assert not said, f"{page.url}, {scheme}:\n" + "\n".join(said)
