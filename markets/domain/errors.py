"""The errors that services raise, independent of HTTP, forms and the command line.

`code` is stable and public (API.md); the message says what is wrong and what would be right.
"""

from collections.abc import Sequence
from typing import ClassVar

from markets.domain.amounts import to_text


class Refused(Exception):
    """The base of these errors: the request is not allowed, and nothing was changed."""

    code: ClassVar[str]


class NotFound(Refused):
    code = "not_found"

    def __init__(self, what: str, key: object) -> None:
        super().__init__(f"There is no {what} {key}.")


class Invalid(Refused):
    """Fields are wrong. `fields` maps a field's name to a sentence."""

    code = "validation_error"

    def __init__(self, /, **fields: str) -> None:
        super().__init__(" ".join(fields.values()))
        self.fields = fields


class IllegalTransition(Refused):
    code = "illegal_transition"

    def __init__(self, verb: str, status: str, allowed: list[str]) -> None:
        must_be = " or ".join(allowed)
        super().__init__(f"Cannot {verb} a market that is {status}: it must be {must_be}.")


class VersionConflict(Refused):
    code = "version_conflict"

    def __init__(self, given: int, current: int) -> None:
        super().__init__(
            f"The market is at version {current}, your edit started from version {given}: "
            "read it again."
        )


class Unauthenticated(Refused):
    code = "unauthenticated"

    def __init__(self) -> None:
        super().__init__("Send a valid key as 'Authorization: Bearer <key>', or sign in.")


class Forbidden(Refused):
    code = "forbidden"


class RateLimited(Refused):
    code = "rate_limited"

    def __init__(self, limit: int, retry_after: int) -> None:
        super().__init__(f"More than {limit} calls in a minute: try again in {retry_after} s.")
        self.retry_after = retry_after


class TooManyStreams(Refused):
    code = "too_many_streams"
    retry_after = 10  # seconds

    def __init__(self, why: str) -> None:
        super().__init__(f"{why}: close one, or try again in {self.retry_after} s.")


class Busy(Refused):
    """A row is locked by other work, or the database does not answer in time."""

    code = "unavailable"
    retry_after = 2  # seconds

    def __init__(self) -> None:
        super().__init__("This is busy right now: try again in a moment. Nothing was changed.")


class MarketNotActive(Refused):
    code = "market_not_active"

    def __init__(self, why: str) -> None:
        super().__init__(f"Nobody can trade here now: {why}.")


class InsufficientFunds(Refused):
    """Amounts in micro-credits."""

    code = "insufficient_funds"

    def __init__(self, needed: int, available: int) -> None:
        super().__init__(f"This takes {to_text(needed)} credits; {to_text(available)} are there.")


class InsufficientShares(Refused):
    """Amounts in micro-shares."""

    code = "insufficient_shares"

    def __init__(self, needed: int | None, available: int) -> None:
        wanted = "more shares than there can be" if needed is None else f"{to_text(needed)} shares"
        super().__init__(f"This takes {wanted}; you hold {to_text(available)}.")


class SlippageExceeded(Refused):
    code = "slippage_exceeded"

    def __init__(self, guard: str, limit: int, would_be: int) -> None:
        super().__init__(
            f"{guard} is {to_text(limit)} and this would come to {to_text(would_be)}: "
            "ask for a new quote."
        )


class TradeTooSmall(Refused):
    code = "trade_too_small"

    def __init__(self, least: int) -> None:
        super().__init__(
            f"The smallest trade is {to_text(least)} shares, or all that you hold, "
            "for at least a millionth of a credit."
        )


class PriceOutOfRange(Refused):
    code = "price_out_of_range"

    def __init__(self, low: int, high: int, would_be: int) -> None:
        super().__init__(
            f"Prices here stay between {to_text(low)} and {to_text(high)}; "
            f"this would take it to {to_text(would_be)}."
        )


class IdempotencyConflict(Refused):
    code = "idempotency_conflict"

    def __init__(self) -> None:
        super().__init__(
            "This client_order_id was used for another order: choose a new one for a new order."
        )


class AlreadyDone(Refused):
    code = "already_done"

    def __init__(self) -> None:
        super().__init__("This was done already, by an earlier press of the same button.")


class PayoutSpent(Refused):
    """Traders lack the payouts to reverse. `short` maps user ids to the lacking micro-credits."""

    code = "payout_spent"

    def __init__(self, short: dict[int, int]) -> None:
        lacking = ", ".join(
            f"user {user} lacks {to_text(amount)}" for user, amount in list(short.items())[:5]
        )
        super().__init__(
            f"{len(short)} trader(s) have spent what they were paid ({lacking}): "
            "grant them what they lack, then try again."
        )
        self.short = short


def unknown_outcome(outcome_id: int, known: Sequence[int]) -> Invalid:
    """Return the error for an outcome that is not one of the market's `known` outcomes."""
    return Invalid(
        outcome_id=f"Outcome {outcome_id} does not belong to this market; its outcomes are {known}."
    )
