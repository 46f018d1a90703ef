"""Template filters for texts and amounts."""

import nh3
from django import template
from django.utils.safestring import SafeString, mark_safe
from markdown_it import MarkdownIt

from markets.domain import amounts

register = template.Library()
register.filter("percent", amounts.to_percent)
register.filter("credits", amounts.to_text)
register.filter("money", amounts.to_money)

_markdown = MarkdownIt("commonmark", {"html": True, "linkify": True, "breaks": True}).enable(
    ["linkify", "table", "strikethrough"]
)
_TAGS = {
    "p", "br", "b", "strong", "i", "em", "u", "s", "del", "sub", "sup", "a", "ul", "ol", "li", "hr",
    "blockquote", "code", "pre", "h3", "h4", "h5", "h6", "table", "thead", "tbody", "tr", "th",
    "td",
}  # fmt: skip


@register.filter
def markdown(text: str) -> SafeString:
    """Return Markdown, with any HTML in it, as safe HTML: nh3 removes all tags but `_TAGS`."""
    html = _markdown.render(text)
    for level in (2, 1):  # h1 and h2 belong to the page
        html = html.replace(f"<h{level}>", f"<h{level + 2}>")
        html = html.replace(f"</h{level}>", f"</h{level + 2}>")
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
