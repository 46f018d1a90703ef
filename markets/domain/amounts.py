"""Credits, shares and probabilities: integers of a millionth inside, decimal strings outside.

`12_500_000` is `"12.5"`. Amounts are never floats here.
"""

import re
from decimal import Decimal
from typing import Final

MICRO: Final = 1_000_000
LARGEST_AMOUNT: Final = 10**15  # a billion: inside BIGINT, exact in a double

_DECIMAL = re.compile(r"(-?)([0-9]{1,18})(?:\.([0-9]{1,6}))?")


def to_text(micro: int) -> str:
    """Return the shortest decimal string that parses back to exactly `micro`."""
    whole, part = divmod(abs(micro), MICRO)
    fraction = f"{part:06d}".rstrip("0")
    return ("-" if micro < 0 else "") + str(whole) + (f".{fraction}" if fraction else "")


def to_money(micro: int) -> str:
    """Return an amount to read at a glance, `12,345.68`; ledgers show all six places."""
    return f"{Decimal(micro) / MICRO:,.2f}"


def to_percent(price: int) -> str:
    """Return a price as a whole percent, `61%`, with a decimal below 1 % and above 99 %.

    Rounding never makes 0% or 100%. `static/markets/format.js` says the same in the browser.
    """
    if 0 < price < 1000 or 999_000 < price < MICRO:
        return "<0.1%" if price < 1000 else ">99.9%"
    if 0 < price < 10_000 or 990_000 < price < MICRO:
        tenths = (price + 500) // 1000
        return f"{tenths // 10}.{tenths % 10}%".replace(".0%", "%")
    return f"{(price + 5000) // 10_000}%"


def to_credits(micro: int) -> str:
    """Return credits or shares to read at a glance, `1,582` or `12.5`: cut off, never rounded up.

    `static/markets/format.js` says the same in the browser.
    """
    if abs(micro) < 100 * MICRO:
        return to_cents(micro)
    return f"{'-' if micro < 0 else ''}{abs(micro) // MICRO:,}"


def to_cents(micro: int) -> str:
    """Return an amount to agree to, `1,582.07` or `25`: cut off at the hundredth."""
    whole, part = divmod(abs(micro) // 10_000, 100)
    return ("-" if micro < 0 else "") + f"{whole:,}.{part:02d}".rstrip("0").rstrip(".")


def to_micro(text: str) -> int:
    """Raise ValueError for an exponent, a plus sign, a seventh decimal place and the like."""
    match = _DECIMAL.fullmatch(text)
    if match is None:
        raise ValueError("Give a plain decimal number with at most 6 places, such as 12.5.")
    sign, whole, fraction = match.groups()
    micro = int(whole) * MICRO + int((fraction or "").ljust(6, "0"))
    if micro > LARGEST_AMOUNT:
        raise ValueError(f"The largest amount is {LARGEST_AMOUNT // MICRO}.")
    return -micro if sign else micro
