"""What the services refuse, as facts. Nothing here knows of HTTP, forms or the command line.

`code` is stable and public (API.md); the message says what is wrong and what would be right.
"""

from typing import ClassVar


class Refused(Exception):
    """A request that the rules of the market do not allow; nothing was changed."""

    code: ClassVar[str]


class NotFound(Refused):
    code = "not_found"

    def __init__(self, what: str, key: object) -> None:
        super().__init__(f"There is no {what} {key}.")


class Invalid(Refused):
    """One or more fields are wrong. `fields` maps a field's name to a sentence."""

    code = "validation_error"

    def __init__(self, /, **fields: str) -> None:
        super().__init__(" ".join(fields.values()))
        self.fields = fields


class IllegalTransition(Refused):
    code = "illegal_transition"

    def __init__(self, verb: str, status: str, allowed: list[str]) -> None:
        super().__init__(f"Cannot {verb} a market that is {status}: it must be {' or '.join(allowed)}.")
        self.status = status


class VersionConflict(Refused):
    code = "version_conflict"

    def __init__(self, given: int, current: int) -> None:
        super().__init__(f"The market is at version {current}, your edit started from version {given}: read it again.")
        self.current = current


class Unauthenticated(Refused):
    code = "unauthenticated"

    def __init__(self, why: str = "Send a valid key as 'Authorization: Bearer <key>', or sign in.") -> None:
        super().__init__(why)


class Forbidden(Refused):
    code = "forbidden"

    def __init__(self, why: str) -> None:
        super().__init__(why)


class RateLimited(Refused):
    code = "rate_limited"

    def __init__(self, limit: int, retry_after: int) -> None:
        super().__init__(f"More than {limit} calls in a minute: try again in {retry_after} s.")
        self.retry_after = retry_after
