"""Real questions, as people wrote them: whatever stands in a text, the page around it stays whole."""

import re
from html.parser import HTMLParser

import pytest

from markets.infra.threads import in_thread
from markets.models import Market
from markets.services import importing
from markets.templatetags.market_text import markdown
from tests.support.clock import NOW
from tests.support.real import REAL, RESOLVED, load_questions

VOID = {"br", "hr", "img", "input", "link", "meta", "path"}
ATTRIBUTES = {"href", "rel", "title", "lang"}  # that a text may have


class Whole(HTMLParser):
    """Reads a page; fails where a tag closes another than the last one, collects the texts' tags."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.prose: int | None = None  # the depth at which a text began
        self.texts: list[tuple[str, dict[str, str | None]]] = []
        self.headings: list[int] = []

    def handle_starttag(self, tag, attributes):
        facts = dict(attributes)
        if self.prose is not None:
            self.texts.append((tag, facts))
        if re.fullmatch("h[1-6]", tag):
            self.headings.append(int(tag[1]))
        if tag not in VOID:
            self.open.append(tag)
        if facts.get("class") == "prose":
            self.prose = len(self.open)

    def handle_startendtag(self, tag, attributes):
        if tag != "path":
            self.handle_starttag(tag, attributes)

    def handle_endtag(self, tag):
        if self.prose == len(self.open):
            self.prose = None
        assert self.open.pop() == tag, f"</{tag}> at {self.getpos()}"


async def test_every_real_question_leaves_its_page_whole(client, world):
    def load():
        load_questions()
        if RESOLVED.exists():
            importing.import_markets(
                table=importing.parse_csv(RESOLVED.read_bytes()), actor=None, now=NOW
            )
        return list(Market.objects.public())

    found = await in_thread(load)
    assert len(found) >= (350 if REAL.exists() else 30)
    for market in found:
        page = await client.get(market.get_absolute_url())
        assert page.status_code == 200
        read = Whole()
        read.feed(page.text)
        read.close()
        assert read.open == [], market.name
        assert read.headings.count(1) == 1
        for tag, attributes in read.texts:
            assert tag not in {"script", "style", "iframe", "form", "input", "h1", "h2"}, (
                market.name
            )
            assert set(attributes) <= ATTRIBUTES, (market.name, tag, attributes)
            assert (attributes.get("href") or "http").startswith(("http", "mailto:")), market.name


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        ("at www.example.org now", '<a href="http://www.example.org"'),
        ("at <https://example.org/x_y_z>", '<a href="https://example.org/x_y_z"'),
        ("(https://example.org/a_(b))", '<a href="https://example.org/a_(b)"'),
        (r"$x_1 \leq 5$ and $\frac{1}{2}$", r"$x_1 \leq 5$ and $\frac{1}{2}$"),
        ("- a\n  - b\n    - c", "<li>c</li>"),
        ("<div><p>left open", "left open"),
        ("</div></section></main>after", "after"),
        ("<h1>Loud</h1>", "<h3>Loud</h3>"),
        ('<h2 class="x">Loud</h2>', "<h4>Loud</h4>"),
        ("<script>alert(1)</script>words", "words"),
        ("<textarea><p>words", "words"),
        ("<!-- never closed", ""),
    ],
)
def test_what_people_write_is_shown_as_meant(source, shown):
    found = markdown(source)
    assert shown in found
    assert not re.search(r"<(h[12]|script|textarea|div|/main)", found)
