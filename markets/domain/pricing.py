"""LMSR with a prior.

Hanson, "Logarithmic Market Scoring Rules for Modular Combinatorial Information Aggregation" (2003).
With `s` shares sold, liquidity `b` and a prior `pi`, the price of outcome i is
`p_i = pi_i·exp(s_i/b) / Σ pi_j·exp(s_j/b)`, and a trade from s to s' costs `C(s') - C(s)` with
`C(s) = b·ln Σ pi_j·exp(s_j/b)`. Prices sum to 1, and the cost does not depend on the path.

Arguments and results are integers of a millionth. Doubles are off by a few parts in 10^15, so each
cost is moved by `ROUNDING_MARGIN` of itself and then rounded, both against the trader: no series of
trades returns more than was paid.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import ceil, exp, expm1, floor, log, log1p
from typing import Final

from markets.domain.amounts import LARGEST_AMOUNT, MICRO

ROUNDING_MARGIN: Final = 2.0**-40  # relative: some hundred times the doubles' error
SAFE_EXPONENT: Final = 500.0  # a smaller one neither overflows nor loses digits


class Book:
    """A market's priors in millionths, shares sold and liquidity in micro-shares."""

    __slots__ = ("liquidity", "prior", "shares")

    def __init__(self, prior: Sequence[int], shares: Sequence[int], liquidity: int) -> None:
        self.prior, self.shares, self.liquidity = prior, shares, liquidity

    def _exponents(self) -> list[float]:
        """`ln pi_i + (s_i - max s)/b`; the integer difference keeps large shares exact."""
        most, b = max(self.shares), self.liquidity
        return [log(pi) + (s - most) / b for pi, s in zip(self.prior, self.shares, strict=True)]

    def weights(self) -> list[float]:
        """Return the prices; they sum to 1 up to rounding."""
        exponents = self._exponents()
        largest = max(exponents)
        raw = [exp(exponent - largest) for exponent in exponents]
        total = sum(raw)
        return [value / total for value in raw]

    def prices(self) -> list[int]:
        """Return the prices in millionths; they sum to exactly a million."""
        return apportion(self.weights())

    def after(self, outcome: int, shares: int) -> Book:
        """Return the book after a buy (a sale if negative)."""
        sold = list(self.shares)
        sold[outcome] += shares
        return Book(self.prior, sold, self.liquidity)

    def _logs(self, outcome: int) -> tuple[float, float]:
        """Return `ln p` and `ln(1-p)`, each from its own sum: 1-p loses digits."""
        exponents = self._exponents()
        own = exponents.pop(outcome)
        largest = max(exponents)
        rest = largest + log(sum(exp(exponent - largest) for exponent in exponents))
        total = _log_sum(own, rest)
        return own - total, rest - total

    def cost(self, outcome: int, shares: int) -> int:
        """The cost of buying, rounded up: `b·ln(1 + p·(e^x - 1))`, `x = s/b`."""
        return self._cost(self._logs(outcome), shares)

    def _cost(self, logs: tuple[float, float], shares: int) -> int:
        (ln_p, ln_q), x = logs, shares / self.liquidity
        exact = log1p(exp(ln_p) * expm1(x)) if x < SAFE_EXPONENT else x + _log_sum(ln_p, ln_q - x)
        return ceil(self.liquidity * exact * (1 + ROUNDING_MARGIN))

    def proceeds(self, outcome: int, shares: int) -> int:
        """The proceeds of selling, rounded down: `-b·ln(1 + p·(e^-x - 1))`."""
        return self._proceeds(self._logs(outcome), shares)

    def _proceeds(self, logs: tuple[float, float], shares: int) -> int:
        (ln_p, ln_q), x = logs, shares / self.liquidity
        change = exp(ln_p) * expm1(-x)
        exact = -log1p(change) if change > -0.5 else -_log_sum(ln_q, ln_p - x)
        return max(0, floor(self.liquidity * exact * (1 - ROUNDING_MARGIN)))

    def shares_for(self, outcome: int, amount: int) -> int:
        """The most shares that `amount` buys: `b·ln(1 + (e^x - 1)/p)`, `x = amount/b`."""
        logs, x = self._logs(outcome), amount / self.liquidity
        ln_p, ln_q = logs
        if x < SAFE_EXPONENT:
            guess = _log_sum(0.0, log(expm1(x)) - ln_p)
        else:
            guess = x - ln_p + log1p(-exp(ln_q - x))
        return _last(lambda shares: self._cost(logs, shares) <= amount, int(self.liquidity * guess))

    def shares_to_raise(self, outcome: int, amount: int) -> int | None:
        """The fewest shares that raise `amount`: `-b·ln(1 - (1 - e^-x)/p)`, or None."""
        logs, x = self._logs(outcome), amount / self.liquidity
        left = expm1(-x) / exp(logs[0]) if logs[0] > -SAFE_EXPONENT else -1.0
        guess = -self.liquidity * log1p(left) if left > -1 else LARGEST_AMOUNT
        fewest = 1 + _last(lambda shares: self._proceeds(logs, shares) < amount, int(guess))
        return fewest if fewest <= LARGEST_AMOUNT else None

    def shares_to_reach(self, outcome: int, price: int) -> int:
        """The most shares that take the price to `price`, not past it: `b·|logit price - logit p|`.

        They are bought if `price` (millionths) lies above the outcome's, and sold if below.
        """
        ln_p, ln_q = self._logs(outcome)
        way = abs(log(price) - log(MICRO - price) - (ln_p - ln_q))
        return _last(lambda shares: shares / self.liquidity <= way, int(self.liquidity * way))


def _log_sum(a: float, b: float) -> float:
    """`ln(e^a + e^b)` without overflow."""
    return max(a, b) + log1p(exp(-abs(a - b)))


def _last(holds: Callable[[int], bool], guess: int) -> int:
    """Return the n near `guess` up to which `holds`; at most LARGEST_AMOUNT."""
    low, high, step = 0, LARGEST_AMOUNT + 1, 1
    guess = min(max(guess, 0), LARGEST_AMOUNT)
    if guess == 0 or holds(guess):
        low = guess
        while low + step < high and holds(low + step):
            low, step = low + step, step * 2
        high = min(high, low + step)
    else:
        high = guess
        while high - step > low and not holds(high - step):
            high, step = high - step, step * 2
        low = max(low, high - step)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if holds(middle) else (low, middle)
    return low


def worst_loss(prior: Sequence[int], liquidity: int) -> int:
    """Return the most that a market can lose, rounded up: `-b·ln min pi` micro-credits."""
    return ceil(-liquidity * log(min(prior) / MICRO) * (1 + ROUNDING_MARGIN)) + 1


def apportion(parts: Sequence[float]) -> list[int]:
    """Split a million by `parts` (sum 1): largest remainders first, then earlier parts."""
    exact = [part * MICRO for part in parts]
    whole = [floor(value) for value in exact]
    by_remainder = sorted(range(len(parts)), key=lambda i: whole[i] - exact[i])
    for i in by_remainder[: MICRO - sum(whole)]:
        whole[i] += 1
    return whole
