"""The errors that services raise, whoever calls them.

`code` is public and stable (API.md); the message says what is wrong and what would be right.
"""

from collections.abc import Sequence
from typing import ClassVar

from django.utils.translation import gettext as _

from markets.domain.amounts import to_percent, to_text


class Refused(Exception):
    """The base of these errors. Nothing was changed."""

    code: ClassVar[str]


class NotFound(Refused):
    code = "not_found"

    def __init__(self, what: str, key: object) -> None:
        super().__init__(f"There is no {what} {key}.")


class Invalid(Refused):
    """`fields` maps a wrong field's name to a sentence."""

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
        started = f"your edit started from version {given}"
        super().__init__(f"The market is at version {current}, {started}: read it again.")


class PreviewOutdated(Refused):
    """The market has an event that a preview did not know."""

    code = "version_conflict"

    def __init__(self) -> None:
        super().__init__("The market moved on since you looked: look at the new figures first.")


class Unauthenticated(Refused):
    code = "unauthenticated"

    def __init__(
        self, why: str = "Send a valid key as 'Authorization: Bearer <key>', or sign in."
    ) -> None:
        super().__init__(why)


class Forbidden(Refused):
    code = "forbidden"


class RateLimited(Refused):
    code = "rate_limited"

    def __init__(self, limit: int, retry_after: int, what: str = "calls") -> None:
        super().__init__(f"More than {limit} {what} in a minute: try again in {retry_after} s.")
        self.retry_after = retry_after


class TooManyStreams(Refused):
    code = "too_many_streams"
    retry_after = 10  # seconds

    def __init__(self, why: str) -> None:
        super().__init__(f"{why}: close one, or try again in {self.retry_after} s.")


class Busy(Refused):
    """A row is locked, or the database does not answer in time."""

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
        problem = f"{guard} is {to_text(limit)} and this would come to {to_text(would_be)}"
        super().__init__(f"{problem}: ask for a new quote.")


class TradeTooSmall(Refused):
    code = "trade_too_small"

    def __init__(self, least: int) -> None:
        shares = f"{to_text(least)} shares, or all that you hold"
        super().__init__(f"The smallest trade is {shares}, for at least a millionth of a credit.")


class PriceOutOfRange(Refused):
    code = "price_out_of_range"

    def __init__(self, low: int, high: int, would_be: int) -> None:
        bounds = f"between {to_text(low)} and {to_text(high)}"
        super().__init__(f"Prices here stay {bounds}; this would take it to {to_text(would_be)}.")


class TargetReached(Refused):
    """`price` in millionths."""

    code = "target_reached"

    def __init__(self, price: int) -> None:
        super().__init__(f"The price is {to_percent(price)} already: there is nothing to trade.")


class IdempotencyConflict(Refused):
    code = "idempotency_conflict"

    def __init__(self) -> None:
        used = "This client_order_id was used for another order"
        super().__init__(f"{used}: choose a new one for a new order.")


class AlreadyDone(Refused):
    code = "already_done"

    def __init__(self) -> None:
        super().__init__("This was done already, by an earlier press of the same button.")


class TooManyKeys(Refused):
    code = "too_many_keys"

    def __init__(self, most: int) -> None:
        super().__init__(
            _("You have %(most)s keys that work, the most there can be: revoke one first.")
            % {"most": most}
        )


class InvitationRefused(Refused):
    """An invitation that nobody can sign up with: unknown, used, expired or revoked."""

    code = "invitation_refused"


class PayoutSpent(Refused):
    """`short` maps user ids to the micro-credits that they lack for a reversal."""

    code = "payout_spent"

    def __init__(self, short: dict[int, int]) -> None:
        first = list(short.items())[:5]
        lacking = ", ".join(f"user {user} lacks {to_text(amount)}" for user, amount in first)
        super().__init__(
            f"{len(short)} trader(s) have spent what they were paid ({lacking}): "
            "grant them what they lack, then try again."
        )
        self.short = short


def unknown_outcome(outcome_id: int, known: Sequence[int]) -> Invalid:
    foreign = f"Outcome {outcome_id} does not belong to this market"
    return Invalid(outcome_id=f"{foreign}; its outcomes are {known}.")
