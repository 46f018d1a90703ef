"""Amounts: decimal strings outside, integers inside."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from markets.domain.amounts import LARGEST_AMOUNT, to_micro, to_text


@given(st.integers(-LARGEST_AMOUNT, LARGEST_AMOUNT))
def test_every_amount_survives_the_way_out_and_back(micro):
    assert to_micro(to_text(micro)) == micro


@pytest.mark.parametrize(
    ("micro", "text"),
    [(0, "0"), (1, "0.000001"), (12_500_000, "12.5"), (-1_000_000, "-1"), (-1, "-0.000001")],
)
def test_an_amount_reads_as_people_write_it(micro, text):
    assert to_text(micro) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        " 1",
        "1 ",
        "+1",
        "1e3",
        "NaN",
        "Infinity",
        "0.0000001",
        "1,5",
        "0x1",
        ".5",
        "5.",
        "٣",
        "1" * 30,
        "1000000001",
    ],
)
def test_what_is_no_plain_decimal_is_refused(text):
    with pytest.raises(ValueError, match=r"plain decimal|largest"):
        to_micro(text)
