"""What crawlers may read, and the icon that browsers ask for by themselves."""

from urllib.robotparser import RobotFileParser

from django.templatetags.static import static


async def test_crawlers_may_read_what_is_public_and_nothing_else(client, market):
    answer = await client.get("/robots.txt")
    assert answer.headers["Content-Type"].startswith("text/plain")
    rules = RobotFileParser()
    rules.parse(answer.text.splitlines())
    for path in ("/", market.get_absolute_url(), "/?q=rain", static("markets/site.css")):
        assert rules.can_fetch("*", path), path
    for path in (
        "/admin/",
        "/account/login/",
        "/settings/keys",
        "/portfolio/statement",
        "/api/v1/markets/",
    ):
        assert not rules.can_fetch("*", path), path


async def test_a_browser_finds_the_icon_by_its_old_name(client, world):
    answer = await client.get("/favicon.ico", follow_redirects=True)
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "image/svg+xml")
    assert answer.url.path == static("markets/icon.svg")
