"""Credits, shares and probabilities: integers of a millionth inside, decimal strings outside.

`12_500_000` is `"12.5"`. Nothing here ever touches a float.
"""

import re
from typing import Final

MICRO: Final = 1_000_000
LARGEST: Final = (
    10**15
)  # millionths: a billion credits or shares, far inside BIGINT and exact in a double

_DECIMAL = re.compile(r"(-?)([0-9]{1,18})(?:\.([0-9]{1,6}))?")


def to_text(micro: int) -> str:
    """The shortest decimal string that parses back to exactly `micro`."""
    whole, part = divmod(abs(micro), MICRO)
    fraction = f"{part:06d}".rstrip("0")
    return ("-" if micro < 0 else "") + str(whole) + (f".{fraction}" if fraction else "")


def to_percent(price: int) -> str:
    """Return millionths as people read a probability: 613000 is `61.3%`, and never 0% or 100% by rounding."""
    if 0 < price < 1000 or 999_000 < price < 1_000_000:
        return "<0.1%" if price < 1000 else ">99.9%"
    return f"{price / 10_000:.1f}".removesuffix(".0") + "%"


def to_micro(text: str) -> int:
    """Millionths of a plain decimal string; ValueError for anything else (exponents, signs of plus, a seventh place)."""
    match = _DECIMAL.fullmatch(text)
    if match is None:
        raise ValueError("Give a plain decimal number with at most 6 places, such as 12.5.")
    sign, whole, fraction = match.groups()
    micro = int(whole) * MICRO + int((fraction or "").ljust(6, "0"))
    if micro > LARGEST:
        raise ValueError(f"The largest amount is {LARGEST // MICRO}.")
    return -micro if sign else micro
