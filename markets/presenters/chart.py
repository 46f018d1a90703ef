"""Charts as SVG, made by the server: no script, any colour scheme, and words for who cannot see."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final, NamedTuple

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from markets.domain.amounts import MICRO, to_credits, to_percent

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


MILLE: Final = 1000  # the unit of a price in a picture: per mille, from the top
LEAST_SPAN: Final = 20  # percent, so that a calm market looks calm


class Scale(NamedTuple):
    """The range of a chart, in percent: whole tens."""

    low: int
    high: int

    @property
    def ticks(self) -> list[int]:
        """Return at most six, from the top."""
        step = 10 if self.high - self.low <= 50 else 20
        return list(range(self.high, self.low - 1, -step))


def scale_of(prices: Sequence[int]) -> Scale:
    """Return the range for prices in millionths."""
    low, high = min(prices) // 100_000 * 10, -(-max(prices) // 100_000) * 10
    while high - low < LEAST_SPAN or (high - low > 50 and (high - low) % 20):
        if (low > 0 and 50 - low < high - 50) or high == 100:  # grow towards the middle
            low -= 10
        else:
            high += 10
    return Scale(low, high)


def step_path(prices: Sequence[int], seconds: int) -> str:
    """Return evenly spaced prices as steps: x in seconds, y in per mille from the top."""
    ys = [MILLE - (price + 500) // 1000 for price in prices]
    steps = [f"M0 {ys[0]}"]
    last = max(1, len(ys) - 1)
    moved = (i for i in range(1, len(ys)) if ys[i] != ys[i - 1])
    steps.extend(f"H{seconds * i // last}V{ys[i]}" for i in moved)
    return "".join(steps) + f"H{seconds}"


NOW: Final = "{now}"  # in a line's words, for the module that lets the line grow


class Line(NamedTuple):
    """One outcome's, as a page draws it. `number` chooses the colour, 1 to 5."""

    number: int
    outcome_id: int
    label: str
    path: str
    first: str  # what the chart shows at its beginning, such as `38%`
    last: str

    @property
    def words(self) -> str:
        """Return the line in words, with a place for its last value: `Yes, 38% to {now}`."""
        facts = {"outcome": self.label, "first": self.first, "last": NOW}
        return _("%(outcome)s, %(first)s to %(last)s") % facts


class Chart(NamedTuple):
    """All that the template of a chart reads."""

    range: str
    start: datetime
    end: datetime
    seconds: int
    scale: Scale
    lines: list[Line]
    rows: list[tuple[datetime, list[str]]]  # for the table: some moments with what was shown
    labels: list[str]  # of the ticks, evenly spaced from the top

    @property
    def view(self) -> str:
        """Return the SVG's viewBox."""
        top, width = MILLE - self.scale.high * 10, self.seconds * 101 // 100  # room for a dot
        return f"0 {top} {width} {(self.scale.high - self.scale.low) * 10}"

    @property
    def floor(self) -> int:
        """Return the y of the lower edge."""
        return MILLE - self.scale.low * 10

    @property
    def grid(self) -> str:
        low, spaces = self.floor, len(self.labels) - 1
        height = (self.scale.high - self.scale.low) * 10
        ys = (low - height * place / spaces for place in range(spaces + 1))
        return "".join(f"M0 {y:g}H{self.seconds * 2}" for y in ys)

    @property
    def in_words(self) -> str:
        """Return all lines in words, for screen readers: `Yes, 38% to 46%`."""
        return "; ".join(line.words.replace(NOW, line.last) for line in self.lines)


TABLE_ROWS: Final = 12
Series = Sequence[tuple[int, str, list[int]]]  # outcome id, label, values at even moments


class Axis(NamedTuple):
    """`text` writes a value; `place` says where it is drawn, as a price in millionths."""

    scale: Scale
    labels: list[str]
    text: Callable[[int], str]
    place: Callable[[int], int]


def line_chart(range_: str, start: datetime, end: datetime, series: Series) -> Chart:
    """Return a chart of prices in millionths."""
    scale = scale_of([price for _pk, _label, prices in series for price in prices])
    labels = [f"{tick}%" for tick in scale.ticks]
    return _chart(range_, start, end, series, Axis(scale, labels, to_percent, int))


def money_chart(start: datetime, end: datetime, label: str, amounts: list[int]) -> Chart:
    """Return a chart of one line of micro-credits, none of them negative."""
    low, high, step = _money_scale(amounts)
    labels = [to_credits(tick) for tick in range(high, low - 1, -step)]

    def place(amount: int) -> int:
        return (amount - low) * MICRO // (high - low)

    axis = Axis(Scale(0, 100), labels, to_credits, place)
    return _chart("All", start, end, [(0, label, amounts)], axis)


def _money_scale(amounts: Sequence[int]) -> tuple[int, int, int]:
    """Return the lower and the upper edge, and the distance of ticks; calm worths look calm."""
    low, high = min(amounts), max(amounts)
    span = max(high - low, high // 20, MICRO)
    size = 10 ** (len(str(span // 4)) - 1)
    step = next(size * n for n in (1, 2, 5, 10) if size * n * 4 >= span)
    low, high = low // step * step, -(-high // step) * step
    if high - low < 2 * step:
        low = max(0, low - step)
        high = low + 2 * step
    return low, high, step


def _chart(range_: str, start: datetime, end: datetime, series: Series, axis: Axis) -> Chart:
    seconds = max(1, int((end - start).total_seconds()))
    text, lines = axis.text, []
    for number, (pk, label, values) in enumerate(series, 1):
        path = step_path([axis.place(value) for value in values], seconds)
        lines.append(Line(number, pk, label, path, text(values[0]), text(values[-1])))
    last = len(series[0][2]) - 1
    chosen = sorted({last * i // (TABLE_ROWS - 1) for i in range(TABLE_ROWS)})
    rows = [
        (
            start + (end - start) * i / max(1, last),
            [text(values[i]) for _pk, _label, values in series],
        )
        for i in reversed(chosen)
    ]
    return Chart(range_, start, end, seconds, axis.scale, lines, rows, axis.labels)


def sparkline(prices: Sequence[int]) -> SafeString:
    """Return a small picture of prices in millionths; the words stand beside it."""
    scale, last = scale_of(prices), len(prices) - 1
    return format_html(
        '<svg class="spark" viewBox="0 {} {} {}" preserveAspectRatio="none" aria-hidden="true">'
        '<path d="{}"/></svg>',
        MILLE - scale.high * 10,
        last + 1,  # so that the newest step is seen, too
        (scale.high - scale.low) * 10,
        f"{step_path(prices, last)}h1",
    )
