"""Books of all kinds, for Hypothesis."""

from __future__ import annotations

import math
import random

from hypothesis import strategies as st

from markets.domain.amounts import MICRO
from markets.domain.pricing import Book, apportion


@st.composite
def books(draw, most_shares=10**14):
    count = draw(st.integers(2, 20))
    prior = (
        apportion([1 / count] * count)
        if draw(st.booleans())
        else lopsided(draw(st.integers(1, 10**6)), count)
    )
    shares = draw(st.lists(st.integers(0, most_shares), min_size=count, max_size=count))
    return Book(prior, shares, draw(st.integers(MICRO, 10**12)))


def lopsided(seed, count):
    parts = [random.Random(seed + i).random() ** 4 + 1e-3 for i in range(count)]
    prior = apportion([part / math.fsum(parts) for part in parts])
    return prior if min(prior) >= 100 else apportion([1 / count] * count)
