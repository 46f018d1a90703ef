"""LMSR, Hanson's logarithmic market scoring rule, with a prior.

Hanson, "Logarithmic Market Scoring Rules for Modular Combinatorial Information Aggregation" (2003). With `s` shares sold,
liquidity `b` and a prior `pi`, the price of outcome i is `pi_i·exp(s_i/b) / Σ pi_j·exp(s_j/b)`: always liquid, sums to 1.
Amounts go in and come out as integers of a millionth (see `amounts`).
"""

from collections.abc import Sequence
from math import exp, floor, log

from markets.amounts import MICRO


def weights(prior: Sequence[int], shares: Sequence[int], liquidity: int) -> list[float]:
    """Exact prices as floats that sum to 1 up to rounding. `prior` in millionths, `shares` and `liquidity` in micro-shares."""
    exponents = [log(pi / MICRO) + sold / liquidity for pi, sold in zip(prior, shares, strict=True)]
    largest = max(exponents)
    raw = [exp(exponent - largest) for exponent in exponents]
    total = sum(raw)
    return [value / total for value in raw]


def prices(prior: Sequence[int], shares: Sequence[int], liquidity: int) -> list[int]:
    """Prices in millionths that sum to exactly a million (largest remainders get the missing ones)."""
    return apportion(weights(prior, shares, liquidity))


def apportion(parts: Sequence[float]) -> list[int]:
    """Split a million over `parts` (which sum to 1) by largest remainder, the earlier part first among equals."""
    exact = [part * MICRO for part in parts]
    whole = [floor(value) for value in exact]
    by_remainder = sorted(range(len(parts)), key=lambda i: whole[i] - exact[i])
    for i in by_remainder[: MICRO - sum(whole)]:
        whole[i] += 1
    return whole
