"""LMSR, Hanson's logarithmic market scoring rule, with a prior.

Hanson, "Logarithmic Market Scoring Rules for Modular Combinatorial Information Aggregation" (2003). With `s` shares sold,
liquidity `b` and a prior `pi`, the price of outcome i is `p_i = pi_i·exp(s_i/b) / Σ pi_j·exp(s_j/b)`, and moving the shares
sold from s to s' costs `C(s') - C(s)` with `C(s) = b·ln Σ pi_j·exp(s_j/b)`: always liquid, prices sum to 1, and the way there
does not matter.

Amounts go in and come out as integers of a millionth (see `amounts`). Doubles are off by a few parts in 10^15; every result is
moved by `GUARD` of itself and then rounded, both against the trader: no way through a market returns more than was paid.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import ceil, exp, expm1, floor, log, log1p
from typing import Final

from markets.domain.amounts import LARGEST, MICRO

GUARD: Final = 2.0**-40  # relative; some hundred times what the doubles can be off by
LARGE: Final = 500.0  # an exponent below this neither overflows nor loses digits


class Book:
    """A market's outcomes at one moment: `prior` in millionths (sums to a million), `shares` and `liquidity` micro-shares."""

    __slots__ = ("liquidity", "prior", "shares")

    def __init__(self, prior: Sequence[int], shares: Sequence[int], liquidity: int) -> None:
        self.prior, self.shares, self.liquidity = prior, shares, liquidity

    def _exponents(self) -> list[float]:
        """`ln pi_i + s_i/b`, less the largest `s/b`: shares are compared as integers, so that large ones stay exact."""
        most = max(self.shares)
        return [
            log(pi) + (sold - most) / self.liquidity
            for pi, sold in zip(self.prior, self.shares, strict=True)
        ]

    def weights(self) -> list[float]:
        """Prices as floats that sum to 1 up to rounding."""
        exponents = self._exponents()
        largest = max(exponents)
        raw = [exp(exponent - largest) for exponent in exponents]
        total = sum(raw)
        return [value / total for value in raw]

    def prices(self) -> list[int]:
        """Prices in millionths that sum to exactly a million (largest remainders get the missing ones)."""
        return apportion(self.weights())

    def after(self, outcome: int, shares: int) -> Book:
        """The book once `shares` micro-shares of an outcome were bought (sold, if negative)."""
        moved = list(self.shares)
        moved[outcome] += shares
        return Book(self.prior, moved, self.liquidity)

    def _logs(self, outcome: int) -> tuple[float, float]:
        """`ln p` of the outcome and `ln(1-p)`, each from its own sum: near 1 the difference would lose its digits."""
        exponents = self._exponents()
        own = exponents.pop(outcome)
        largest = max(exponents)
        rest = largest + log(sum(exp(exponent - largest) for exponent in exponents))
        total = _log_sum(own, rest)
        return own - total, rest - total

    def cost(self, outcome: int, shares: int) -> int:
        """Micro-credits that buying `shares` micro-shares costs, rounded up: `b·ln(1 + p·(e^x - 1))`, `x = shares/b`."""
        return self._cost(self._logs(outcome), shares)

    def _cost(self, logs: tuple[float, float], shares: int) -> int:
        (log_p, log_q), x = logs, shares / self.liquidity
        exact = log1p(exp(log_p) * expm1(x)) if x < LARGE else x + _log_sum(log_p, log_q - x)
        return ceil(self.liquidity * exact * (1 + GUARD))

    def proceeds(self, outcome: int, shares: int) -> int:
        """Micro-credits that selling `shares` micro-shares pays, rounded down: `-b·ln(1 + p·(e^-x - 1))`."""
        return self._proceeds(self._logs(outcome), shares)

    def _proceeds(self, logs: tuple[float, float], shares: int) -> int:
        (log_p, log_q), x = logs, shares / self.liquidity
        change = exp(log_p) * expm1(-x)
        exact = -log1p(change) if change > -0.5 else -_log_sum(log_q, log_p - x)
        return max(0, floor(self.liquidity * exact * (1 - GUARD)))

    def shares_for(self, outcome: int, amount: int) -> int:
        """The most micro-shares that `amount` micro-credits buy, about `b·ln(1 + (e^x - 1)/p)`, `x = amount/b`."""
        logs, x = self._logs(outcome), amount / self.liquidity
        log_p, log_q = logs
        ratio = log(expm1(x)) - log_p if x < LARGE else x - log_p
        guess = self.liquidity * (
            _log_sum(0.0, ratio) if x < LARGE else x - log_p + log1p(-exp(log_q - x))
        )
        return _last(lambda shares: self._cost(logs, shares) <= amount, int(guess))

    def shares_to_raise(self, outcome: int, amount: int) -> int | None:
        """The fewest micro-shares that raise `amount`, about `-b·ln(1 - (1 - e^-x)/p)`; None if none do."""
        logs, x = self._logs(outcome), amount / self.liquidity
        left = expm1(-x) / exp(logs[0]) if logs[0] > -LARGE else -1.0
        guess = -self.liquidity * log1p(left) if left > -1 else LARGEST
        fewest = 1 + _last(
            lambda shares: self._proceeds(logs, shares) < amount, int(min(guess, LARGEST))
        )
        return fewest if fewest <= LARGEST else None


def _log_sum(a: float, b: float) -> float:
    """`ln(e^a + e^b)` without overflow."""
    return max(a, b) + log1p(exp(-abs(a - b)))


def _last(holds: Callable[[int], bool], guess: int) -> int:
    """The largest n up to LARGEST for which `holds`, which is true up to some n and false beyond; `guess` is about there."""
    low, high, step = 0, LARGEST + 1, 1
    guess = min(max(guess, 0), LARGEST)
    if guess == 0 or holds(guess):
        low = guess
        while low + step < high:  # gallop up to where it fails
            if not holds(low + step):
                high = low + step
                break
            low, step = low + step, step * 2
    else:
        high = guess
        while high - step > low:  # gallop down to where it holds
            if holds(high - step):
                low = high - step
                break
            high, step = high - step, step * 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if holds(middle) else (low, middle)
    return low


def worst_loss(prior: Sequence[int], liquidity: int) -> int:
    """The micro-credits that a market maker can lose at most, rounded up: `-b·ln min pi`. The subsidy of a market."""
    return ceil(-liquidity * log(min(prior) / MICRO) * (1 + GUARD)) + 1


def apportion(parts: Sequence[float]) -> list[int]:
    """Split a million over `parts` (which sum to 1) by largest remainder, the earlier part first among equals."""
    exact = [part * MICRO for part in parts]
    whole = [floor(value) for value in exact]
    by_remainder = sorted(range(len(parts)), key=lambda i: whole[i] - exact[i])
    for i in by_remainder[: MICRO - sum(whole)]:
        whole[i] += 1
    return whole
