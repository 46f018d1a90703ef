"""Charts: what the picture says is what the prices were."""

import re
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from markets.domain.amounts import MICRO
from markets.presenters.chart import line_chart, money_chart, scale_of, sparkline, step_path
from tests.support.clock import NOW

prices = st.lists(st.integers(1, 999_999), min_size=2, max_size=50)


def read(path):
    """The (x, y) of each step."""
    return [(int(x or 0), int(y)) for x, y in re.findall(r"(?:M0 |H(\d+)V)(\d+)", path)]


@given(prices)
def test_a_scale_is_of_whole_tens_and_holds_all_prices(found):
    scale = scale_of(found)
    assert 0 <= scale.low < scale.high <= 100
    assert scale.low * 10_000 <= min(found) <= max(found) <= scale.high * 10_000
    assert scale.high - scale.low >= 20
    assert scale.ticks[0] == scale.high
    assert scale.ticks[-1] == scale.low
    assert len(scale.ticks) <= 6
    assert not [tick for tick in scale.ticks if tick % 10]


@given(prices, st.integers(60, 10_000_000))
def test_a_path_goes_through_every_price_at_its_time(found, seconds):
    steps = read(step_path(found, seconds))
    for i, price in enumerate(found):
        x = seconds * i // (len(found) - 1)
        y = [y for at, y in steps if at <= x][-1]
        assert abs((1000 - y) * 1000 - price) <= 500


def test_a_calm_market_is_one_step():
    assert step_path([500_000] * 200, 3600) == "M0 500H3600"


def test_a_chart_is_told_in_words_and_as_a_table():
    series = [(7, "Yes", [380_000] * 100 + [460_000] * 100), (8, "No", [620_000] * 200)]
    chart = line_chart("1D", NOW - timedelta(days=1), NOW, series)
    assert chart.in_words == "Yes, 38% to 46%; No, 62% to 62%"
    assert [line.number for line in chart.lines] == [1, 2]
    newest, oldest = chart.rows[0], chart.rows[-1]
    assert newest == (NOW, ["46%", "62%"])
    assert oldest == (NOW - timedelta(days=1), ["38%", "62%"])


@given(st.lists(st.integers(0, 10**15), min_size=2, max_size=60))
def test_an_axis_of_money_holds_all_amounts_at_even_and_round_ticks(amounts):
    chart = money_chart(NOW - timedelta(hours=1), NOW, "Worth", amounts)
    assert 3 <= len(chart.labels) <= 6
    assert len(set(chart.labels)) == len(chart.labels)
    assert chart.grid.count("M") == len(chart.labels)
    ys = [y for _, y in read(chart.lines[0].path)]
    assert min(ys) >= 0
    assert max(ys) <= 1000


def test_money_is_drawn_where_its_ticks_say():
    amounts = [1000 * MICRO, 1500 * MICRO, 1100 * MICRO]
    chart = money_chart(NOW - timedelta(hours=1), NOW, "Worth", amounts)
    assert chart.labels == ["1,600", "1,400", "1,200", "1,000"]
    assert read(chart.lines[0].path) == [(0, 1000), (1800, 167), (3600, 833)]
    assert chart.in_words == "Worth, 1,000 to 1,100"
    assert chart.rows[1][1] == ["1,500"]


def test_a_calm_worth_looks_calm():
    chart = money_chart(NOW - timedelta(hours=1), NOW, "Worth", [1000 * MICRO] * 2)
    assert chart.labels == ["1,020", "1,000", "980"]


def test_labels_of_people_are_no_markup():
    assert "<script" not in sparkline([1, 2])
    chart = line_chart("All", NOW - timedelta(hours=1), NOW, [(1, "<script>", [1, 2])])
    assert "<script>" in chart.in_words  # the template escapes it
