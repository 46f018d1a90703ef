"""Charts as SVG, made by the server: no script, any colour scheme, and words for who cannot see."""

from collections.abc import Sequence
from typing import Final, NamedTuple

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

WIDTH: Final = 10  # of a bar with its gap, in units of the picture
HEIGHT: Final = 60
GAP: Final = 2


class Bar(NamedTuple):
    name: str  # "24 Nov"
    size: int
    text: str  # of the size: "12.5"


def in_words(title: str, bars: Sequence[Bar]) -> str:
    """Return such as `Trades by day, 26 Oct to 24 Nov: most 40 on 12 Nov; 3 on 24 Nov.`"""
    first, last, largest = bars[0], bars[-1], max(bars, key=lambda bar: bar.size)
    span = f"{title} by day, {first.name} to {last.name}"
    if not largest.size:
        return f"{span}: none."
    return f"{span}: most {largest.text} on {largest.name}; {last.text} on {last.name}."


def bar_chart(title: str, bars: Sequence[Bar]) -> SafeString:
    """Return the picture of a bar a day, as wide as its place, in the colour of its text."""
    largest = max(bar.size for bar in bars) or 1
    shapes = []
    for number, bar in enumerate(bars):
        # a small number is still seen; nothing is a thin line
        height = max(2.0, HEIGHT * bar.size / largest) if bar.size else 0.5
        left, top = number * WIDTH, HEIGHT - height
        shapes.append((left, f"{top:.1f}", WIDTH - GAP, f"{height:.1f}", bar.name, bar.text))
    return format_html(
        '<svg role="img" aria-label="{}" viewBox="0 0 {} {}" width="100%" height="{}"'
        ' preserveAspectRatio="none" fill="currentColor">{}</svg>',
        in_words(title, bars),
        len(bars) * WIDTH - GAP,
        HEIGHT,
        HEIGHT,
        format_html_join(
            "",
            '<rect x="{}" y="{}" width="{}" height="{}"><title>{}: {}</title></rect>',
            shapes,
        ),
    )
