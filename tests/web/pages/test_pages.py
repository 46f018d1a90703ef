"""The pages as the server sends them, without JavaScript."""

import html
import re
from html.parser import HTMLParser

import pytest

from markets.domain.amounts import to_percent
from markets.domain.text import OutcomeDraft
from markets.infra.threads import in_thread
from markets.services import resolution
from markets.templatetags.market_text import markdown
from tests.support.clock import LATER, NOW
from tests.support.reactions import react_to_all


async def test_the_list_shows_markets_with_their_prices(client, make_market):
    await in_thread(
        make_market, category="Weather", outcomes=[OutcomeDraft("Yes", 613_000), OutcomeDraft("No")]
    )
    page = (await client.get("/")).text
    assert "Will it rain?" in page
    assert "61%" in page
    assert 'href="/markets/will-it-rain"' in page


async def test_an_empty_list_says_what_to_do_next(client, world):
    assert "No markets yet" in (await client.get("/")).text
    assert "Nothing matches" in (await client.get("/?q=zebra")).text
    assert "No markets here yet" in (await client.get("/?category=zoo")).text


async def test_the_list_is_searched_filtered_and_paged(client, make_market):
    for number in range(32):
        await in_thread(
            make_market, f"Question {number:02}?", category="Weather" if number % 2 else "Sport"
        )
    await in_thread(react_to_all)
    first = (await client.get("/?sort=newest")).text
    assert first.count('class="card" data-market') == 30
    more = html.unescape(
        re.search(r'class="more"><a class="button quiet" href="([^"]+)"', first)[1]
    )
    assert (await client.get(f"/{more}")).text.count('class="card" data-market') == 2
    assert (await client.get("/?category=sport")).text.count('class="card" data-market') == 16
    assert "Question 07?" in (await client.get("/?q=Question+07")).text
    inside = (await client.get("/?category=sport&q=Question+07")).text
    assert "Nothing matches" in inside
    assert '<a href="?q=Question%2007">Search in all categories</a>' in inside
    search = re.search(r'role="search">.*?</form>', inside, re.DOTALL)[0]
    assert 'name="category" value="sport"' in search, "one goes on searching where one is"
    for odd in ("/?cursor=banana", "/?sort=best", "/?q=%F0%9F%98%80", "/?q=---", "/?page=9"):
        assert (await client.get(odd)).status_code == 200


async def test_a_market_that_has_not_opened_says_when_it_does(client, make_market):
    await in_thread(make_market, status="scheduled", open_at=LATER)
    page = (await client.get("/markets/will-it-rain")).text
    panel = re.search(r'<section class="panel.*?</section>', page, re.DOTALL)[0]
    assert f'It opens <time datetime="{LATER.isoformat()}">' in panel


async def test_a_chart_of_more_lines_than_colours_says_which_it_shows(client, make_market):
    labels = [OutcomeDraft(label) for label in "ABCDEF"]
    await in_thread(make_market, "Who wins?", outcomes=labels)
    await in_thread(make_market, "Who loses?", outcomes=labels[:5])
    assert "the 5 likeliest of 6" in (await client.get("/markets/who-wins")).text
    assert "likeliest" not in (await client.get("/markets/who-loses")).text


async def test_a_market_tells_all_about_itself(client, make_market):
    market = await in_thread(
        make_market,
        description="Some **bold** words",
        resolution_criteria="As the *office* says.",
        close_at=LATER,
        tags=["Wet"],
    )
    page = (await client.get("/markets/will-it-rain")).text
    for text in (
        "<strong>bold</strong>",
        "<em>office</em>",
        "18 May 2034, 12:00 UTC",
        "Wet",
        f'data-market="{market.pk}"',
    ):
        assert text in page


async def test_a_settled_and_a_called_off_market_say_so(client, make_market):
    def settle():
        market = make_market()
        weights = {market.outcomes.first().pk: 1_000_000}
        resolution.resolve_market(
            market_id=market.pk,
            actor=None,
            now=NOW,
            weights=weights,
            note="It <b>poured</b>.",
            evidence_url="https://example.org/x",
        )
        resolution.cancel_market(market_id=make_market("Snow?").pk, actor=None, now=NOW)

    await in_thread(settle)
    page = (await client.get("/markets/will-it-rain")).text
    assert "Resolved" in page
    assert "1 Mar 2026, 12:00 UTC" in page
    assert "It &lt;b&gt;poured&lt;/b&gt;." in page
    assert 'href="https://example.org/x"' in page
    assert "Called off" in (await client.get("/markets/snow")).text


async def test_drafts_and_unknown_markets_are_404(client, make_market):
    await in_thread(make_market, "Secret?", status="draft")
    for slug in ("secret", "unknown"):
        page = await client.get(f"/markets/{slug}")
        assert (page.status_code, "There is nothing here" in page.text) == (404, True)


class Tags(HTMLParser):
    """Every tag of a page with its attributes, as a browser would read it."""

    def __init__(self, text):
        super().__init__()
        self.found = []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.found.append((tag, dict(attributes)))


EVIL = "<script>alert(1)</script><img src=x onerror=alert(1)>"


async def test_no_script_of_a_text_reaches_a_page(client, make_market):
    await in_thread(
        make_market,
        f"Evil {EVIL}",
        description=f"{EVIL} [x](javascript:alert(1)) <a href='javascript:alert(1)' onclick='alert(1)'>y</a> <style>*{{}}</style>",
        resolution_criteria="<iframe src='//evil'></iframe><form action=//evil><svg onload=alert(1)><math><mtext></form>",
        outcomes=[OutcomeDraft(f"A {EVIL}"), OutcomeDraft("B")],
        category="Weather",
        tags=["<b>tag"],
    )
    for path in ("/", "/markets/evil-scriptalert1scriptimg-srcx-onerroralert1"):
        page = await client.get(path)
        assert page.status_code == 200
        tags = Tags(page.text)
        for tag, attributes in tags.found:
            if tag == "script":
                assert attributes["src"].startswith("/static/markets/")
            if tag == "svg":  # only the charts
                assert {"viewbox", "preserveaspectratio"} <= set(attributes)
        assert not {"iframe", "style", "math", "object", "embed"} & {tag for tag, _ in tags.found}
        assert "style" not in {name for _, attributes in tags.found for name in attributes}
        for tag, attributes in tags.found:
            assert not [name for name in attributes if name.startswith("on")], (tag, attributes)
            for name in ("href", "src", "action"):
                address = (attributes.get(name) or "/").removeprefix("http://testserver")
                assert address.startswith(("/", "?", "#")), (tag, attributes)
        policy = page.headers["Content-Security-Policy"]
        assert "default-src 'self'" in policy
        assert "unsafe" not in policy


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        ("a\nb", "<p>a<br>\nb</p>\n"),
        ("see https://example.org now", 'href="https://example.org"'),
        ("<div>kept words</div>", "kept words"),
        ("# Big", "<h3>Big</h3>"),
        ("5 < 6 & 7", "5 &lt; 6 &amp; 7"),
    ],
)
def test_markdown_with_stray_html_is_shown_as_meant(source, shown):
    assert shown in markdown(source)


@pytest.mark.parametrize(
    ("price", "text"),
    [
        (613_000, "61%"),
        (615_000, "62%"),
        (9_940, "1%"),
        (4_200, "0.4%"),
        (995_100, "99.5%"),
        (500_000, "50%"),
        (1, "<0.1%"),
        (999_999, ">99.9%"),
        (0, "0%"),
        (1_000_000, "100%"),
        (1000, "0.1%"),
    ],
)
def test_a_price_reads_as_a_probability(price, text):
    assert to_percent(price) == text


async def test_what_others_show_of_a_page_names_the_site_s_own_address(client, make_market):
    """Whatever name the request came by: a shared link leads to where the site says that it is."""
    await in_thread(make_market, category="Weather")
    for path, canonical in (
        ("/", "/"),
        ("/?sort=newest", "/"),
        ("/?category=weather&sort=newest", "/?category=weather"),
        ("/markets/will-it-rain?outcome=1&amount=5", "/markets/will-it-rain"),
    ):
        page = (await client.get(path, headers={"Host": "localhost"})).text
        assert f'<link rel="canonical" href="http://testserver{canonical}">' in page
        for name in ("og:title", "og:type", "og:site_name", "og:description", "og:url"):
            assert page.count(f'property="{name}"') == 1
        assert "http://localhost" not in page
        assert page.count('name="description"') == 1
        assert page.count('name="theme-color"') == 2
        assert 'rel="icon"' in page
