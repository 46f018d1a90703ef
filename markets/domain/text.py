"""What people may call things: limits and characters, checked the same way at every door."""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from django.core.exceptions import ValidationError
from django.core.validators import URLValidator
from django.utils.text import slugify

from markets.domain.amounts import MICRO, to_text
from markets.domain.errors import Invalid
from markets.domain.limits import (
    FEWEST_OUTCOMES,
    LABEL_LENGTH,
    LEAST_PROBABILITY,
    LINK_LENGTH,
    MOST_OUTCOMES,
    SLUG_LENGTH,
    TEXT_LENGTH,
)

# format characters, and the letters that show nothing
_INVISIBLE: Final = re.compile(
    "[\\s\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u2800\u3164\ufe00-\ufe0f\ufeff\uffa0]"
)


def line(field: str, text: str, *, most: int) -> str:
    """One line of visible text: spaces folded, no control characters, between 1 and `most` characters."""
    text = " ".join(text.split())
    if not text:
        raise Invalid(**{field: "This must not be empty."})
    if len(text) > most:
        raise Invalid(**{field: f"This has {len(text)} characters; at most {most} are allowed."})
    if any(unicodedata.category(character) in {"Cc", "Cs"} for character in text):
        raise Invalid(**{field: "Control characters are not allowed."})
    if not _INVISIBLE.sub("", text):
        raise Invalid(**{field: "There is nothing to see in this."})
    return text


def body(field: str, text: str) -> str:
    """Text of many lines, kept as written. Only what PostgreSQL or a terminal would choke on is refused."""
    if len(text) > TEXT_LENGTH:
        raise Invalid(
            **{field: f"This has {len(text)} characters; at most {TEXT_LENGTH} are allowed."}
        )
    if any(
        unicodedata.category(character) in {"Cc", "Cs"} and character not in "\t\n\r"
        for character in text
    ):
        raise Invalid(
            **{field: "Control characters are not allowed, apart from tabs and new lines."}
        )
    return text


def link(field: str, url: str) -> str:
    """An http or https address, or empty."""
    if len(url) > LINK_LENGTH:
        raise Invalid(**{field: f"An address has at most {LINK_LENGTH} characters."})
    if url:
        try:
            URLValidator(schemes=["http", "https"])(url)
            plain = (
                url.isprintable()
                and not set(url) & set(' \\<>"`{}')
                and "@" not in url.split("/")[2]
            )
        except ValidationError:
            plain = False
        if not plain:
            raise Invalid(**{field: "Give a full address that begins with http:// or https://."})
    return url


def slug(field: str, name: str) -> str:
    """The public name of a category or tag; Invalid when no letter or digit is in it."""
    found = slugify(name, allow_unicode=True)[:SLUG_LENGTH].strip("-_")
    if not found:
        raise Invalid(**{field: f"{name!r} has no letter or digit."})
    return found


@dataclass(frozen=True)
class OutcomeDraft:
    """An answer as someone wrote it. `probability` in millionths; None leaves it to an equal share of the rest."""

    label: str
    probability: int | None = None


DEFAULT_OUTCOMES: Final = (OutcomeDraft("Yes"), OutcomeDraft("No"))


def outcomes(drafts: Sequence[OutcomeDraft]) -> list[tuple[str, int]]:
    """Labels and priors in millionths, 2 to 20, distinct, summing to exactly a million."""
    if not FEWEST_OUTCOMES <= len(drafts) <= MOST_OUTCOMES:
        raise Invalid(
            outcomes=f"A market has {FEWEST_OUTCOMES} to {MOST_OUTCOMES} outcomes; this has {len(drafts)}."
        )
    labels = [line("outcomes", draft.label, most=LABEL_LENGTH) for draft in drafts]
    if len(
        {_INVISIBLE.sub("", unicodedata.normalize("NFKC", label)).casefold() for label in labels}
    ) < len(labels):
        raise Invalid(outcomes="Two outcomes have labels that look the same.")
    given = [draft.probability for draft in drafts if draft.probability is not None]
    open_places = len(drafts) - len(given)
    rest = MICRO - sum(given)
    if not open_places and rest:
        raise Invalid(
            outcomes=f"The probabilities sum to {to_text(sum(given))}; they must sum to 1."
        )
    shares = iter(
        [rest // open_places + (i < rest % open_places) for i in range(open_places)]
        if open_places
        else []
    )
    priors = [
        draft.probability if draft.probability is not None else next(shares) for draft in drafts
    ]
    if min(priors) < LEAST_PROBABILITY:
        raise Invalid(
            outcomes=f"Every probability must be at least {to_text(LEAST_PROBABILITY)}, and they must sum to 1."
        )
    return list(zip(labels, priors, strict=True))
