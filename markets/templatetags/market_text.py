"""How texts and amounts look on a page."""

import nh3
from django import template
from django.utils.safestring import SafeString, mark_safe
from markdown_it import MarkdownIt

from markets.domain import amounts

register = template.Library()
register.filter("percent", amounts.to_percent)
register.filter("credits", amounts.to_text)

_markdown = MarkdownIt("commonmark", {"html": True, "linkify": True, "breaks": True}).enable(
    ["linkify", "table", "strikethrough"]
)
_TAGS = {
    "p", "br", "b", "strong", "i", "em", "u", "s", "del", "sub", "sup", "a", "ul", "ol", "li", "blockquote", "code", "pre",
    "h3", "h4", "h5", "h6", "hr", "table", "thead", "tbody", "tr", "th", "td",
}  # fmt: skip


@register.filter
def markdown(text: str) -> SafeString:
    """Markdown with stray HTML, as HTML that carries no script, style, image or form: nh3 keeps only what is listed."""
    html = _markdown.render(text)
    for level in (2, 1):  # a page has one first heading, and it is the market's name
        html = html.replace(f"<h{level}>", f"<h{level + 2}>").replace(
            f"</h{level}>", f"</h{level + 2}>"
        )
    clean = nh3.clean(
        html,
        tags=_TAGS,
        attributes={"a": {"href"}},
        url_schemes={"http", "https", "mailto"},
        link_rel="nofollow noopener",
    )
    return mark_safe(clean)  # noqa: S308  (cleaned on the line above)


@register.filter
def width(price: int) -> str:
    """Millionths as the value of a bar from 0 to 100."""
    return f"{price / 10_000:.2f}"
