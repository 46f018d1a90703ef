"""Template filters for texts and amounts."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import nh3
from django import template
from django.utils import timezone
from django.utils.safestring import SafeString, mark_safe
from django.utils.timesince import timeuntil
from django.utils.translation import gettext as _
from markdown_it import MarkdownIt

from markets.domain import amounts
from markets.domain.text import named
from markets.models import Market, Position
from markets.presenters.portfolio import figures

register = template.Library()
register.filter("percent", amounts.to_percent)
register.filter("cr", amounts.to_credits)
register.filter("cents", amounts.to_cents)
register.filter("decimal", amounts.to_text)
register.filter("credits", amounts.to_text)
register.filter("money", amounts.to_money)
register.filter("named", named)

_OPTIONS = {"html": True, "linkify": True, "breaks": True}
_reason = MarkdownIt("commonmark", _OPTIONS).enable(["linkify", "strikethrough"])
# tables are not for comments: few characters make many cells
_markdown = MarkdownIt("commonmark", _OPTIONS).enable(["linkify", "strikethrough", "table"])
_LOUD = re.compile(r"(</?h)([12])(?=[\s>])", re.IGNORECASE)
_TAGS = {
    "p", "br", "b", "strong", "i", "em", "u", "s", "del", "sub", "sup", "a", "ul", "ol", "li", "hr",
    "blockquote", "code", "pre", "h3", "h4", "h5", "h6", "table", "thead", "tbody", "tr", "th",
    "td",
}  # fmt: skip


@register.filter
def markdown(text: str) -> SafeString:
    """Return Markdown, with any HTML in it, as safe HTML: nh3 removes all tags but `_TAGS`."""
    return _safe(_markdown.render(text))


@register.filter
def reason(text: str) -> SafeString:
    """Return a comment's Markdown, which has no tables, as safe HTML."""
    return _safe(_reason.render(text))


def _safe(html: str) -> SafeString:
    # h1 and h2 belong to the page
    html = _LOUD.sub(lambda found: f"{found[1]}{int(found[2]) + 2}", html)
    clean = nh3.clean(
        html,
        tags=_TAGS,
        attributes={"a": {"href"}},
        url_schemes={"http", "https", "mailto"},
        link_rel="nofollow noopener",
    )
    return mark_safe(clean)  # noqa: S308  (cleaned on the line above)


@register.filter
def signed(micro: int) -> str:
    return f"{micro / amounts.MICRO:+,.2f}"


@register.filter
def negated(micro: int) -> int:
    return -micro


@register.filter
def width(price: int) -> str:
    """Return a price as the value, 0 to 100, of a bar."""
    return f"{price / 10_000:.2f}"


@register.filter
def percent1(price: int) -> str:
    """Return a price with a decimal, `46.9%`, where a whole percent says too little."""
    return f"{price / 10_000:.1f}%"


@register.filter
def minus(price: int, other: int) -> int:
    return price - other


@register.filter
def direction(change: int) -> str:
    """Return the class of a change or a profit."""
    return "up" if change > 0 else "down" if change < 0 else "flat"


@register.filter
def points(change: int) -> str:
    """Return a change of a price, such as `▲ 7.7 pts`. `format.js` says the same."""
    tenths = (abs(change) + 500) // 1000
    arrow = "▲" if change > 0 else "▼"
    size = f"{tenths // 10}.{tenths % 10}".removesuffix(".0")
    return f"{arrow} {size} {_('pts')}" if tenths else ""


@register.filter
def gain(micro: int) -> str:
    """Return a profit such as `▲ 28 cr`: never by colour alone. `format.js` says the same."""
    size = amounts.to_credits(abs(micro))
    return f"{'▼' if micro < 0 else '▲'} {size} cr" if size != "0" else "0 cr"


@register.filter
def moved(micro: int) -> str:
    """Return a movement of money such as `+28` or `−12.5`."""
    return f"{'+' if micro > 0 else '−'}{amounts.to_cents(abs(micro))}"


@register.filter
def at(found: Mapping[Any, Any], key: Any) -> Any:
    """Return what a mapping has for a key, or nothing."""
    return found.get(key, ())


@register.filter
def label_in(outcome_id: int, market: Market) -> str:
    """Return the label of one of the market's outcomes."""
    return next((o.label for o in market.outcomes.all() if o.pk == outcome_id), "?")


@register.filter
def worth(position: Position) -> int:
    """Return micro-credits at the price of now."""
    return figures(position)["value"]


@register.filter
def host(url: str) -> str:
    return urlsplit(url).netloc or url


@register.filter
def left(at: datetime) -> str:
    """Return how long until then, such as `26 days` or `3 months`."""
    days = (at - timezone.now()).days
    if 2 <= days <= 60:
        return _("%(n)s days") % {"n": days}
    return timeuntil(at, depth=1)
