"""The admin's forms as a browser sends them back."""

from __future__ import annotations

import html
import re
from typing import Any

from django.test import Client

MARKET = 'id="market_form"'
STEPS = "novalidate"  # the form of a page of two steps


def fields_of(page: Any, form: str = MARKET) -> dict[str, Any]:
    """What a browser would send back, untouched: the form is found by a text in its tag."""
    within = text_of(page).split(form)[1].split("</form>")[0]
    sent: dict[str, Any] = {}
    for tag in re.findall(r"<input[^>]*>", within):
        facts = dict(re.findall(r'(\w+)="([^"]*)"', tag))
        if facts.get("name") and facts.get("type") not in {"submit", "checkbox", "file"}:
            name, value = facts["name"], html.unescape(facts.get("value", ""))
            before = sent.get(name)  # of several hidden fields of one name
            sent[name] = value if before is None else [*_listed(before), value]
    for name, text in re.findall(
        r'<textarea[^>]*name="([^"]+)"[^>]*>\s?(.*?)</textarea>', within, re.DOTALL
    ):
        sent[name] = html.unescape(text)
    for name, inside in re.findall(
        r'<select[^>]*name="([^"]+)"[^>]*>(.*?)</select>', within, re.DOTALL
    ):
        if name != "action":
            sent[name] = re.findall(r'value="([^"]*)"[^>]*selected', inside)
    return sent


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def text_of(page: Any) -> str:
    """Of an answer of httpx or of Django's test client."""
    return page.text if isinstance(page.text, str) else str(page.content.decode())


def words(page: Any) -> str:
    """What a person reads, in one line."""
    return html.unescape(re.sub(r"(<script.*?</script>|<[^>]+>|\s)+", " ", text_of(page)))


def client_of(user: Any) -> Client:
    """A browser in which the user has signed in."""
    client = Client()
    client.force_login(user)
    return client


def previewed(client: Client, url: str, **answers: Any) -> dict[str, Any]:
    """Fill in a page of two steps, and return what its confirmation would send."""
    page = client.post(url, {"step": "preview", **answers})
    assert page.status_code == 200, page.status_code
    assert 'value="confirm"' in text_of(page), words(page)
    return {**fields_of(page, STEPS), "step": "confirm"}
