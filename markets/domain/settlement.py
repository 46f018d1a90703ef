"""What settling a market comes to."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Settlement:
    """Who would be paid what: micro-credits by user id, and what goes back to the issuance."""

    payouts: dict[int, int]
    returned: int
