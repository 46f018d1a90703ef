"""The settlement of a market."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Settlement:
    """Micro-credits by user id, and the micro-credits that return to the issuance."""

    payouts: dict[int, int]
    returned: int
