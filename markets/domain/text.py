"""Checks of the texts that people write, the same for every client."""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from django.core.exceptions import ValidationError
from django.core.validators import URLValidator
from django.utils.text import slugify

from markets.domain import limits
from markets.domain.amounts import MICRO, to_text
from markets.domain.errors import Invalid

# format characters and letters that show nothing
INVISIBLE: Final = re.compile(
    "[\\s\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f"
    "\u200b-\u200f\u202a-\u202e\u2060-\u206f\u2800\u3164\ufe00-\ufe0f\ufeff\uffa0]"
)


def line(field: str, text: str, *, most: int) -> str:
    """Return 1 to `most` characters with white space folded. Raise Invalid."""
    text = " ".join(text.split())
    if not text:
        raise Invalid(**{field: "This must not be empty."})
    _check_characters(field, text, most)
    if "\ufffd" in text:
        raise Invalid(**{field: "“\ufffd” stands for a character that was lost: write that one."})
    if not INVISIBLE.sub("", text):
        raise Invalid(**{field: "This has no visible character."})
    return text


def body(field: str, text: str) -> str:
    """Return a text of many lines unchanged. Raise Invalid."""
    _check_characters(field, text, limits.TEXT_LENGTH, allowed="\t\n\r")
    return text


_LINK: Final = re.compile(r"https?://\S+|www\.\S+")


def reason(field: str, text: str) -> str:
    """Return a comment, which says something in words. Raise Invalid."""
    text = re.sub("\r\n?", "\n", text).strip()  # forms send CRLF, and count it as one
    _check_characters(field, text, limits.COMMENT_LENGTH, allowed="\t\n\r")
    if not INVISIBLE.sub("", text):
        raise Invalid(**{field: "Write what you think, and why."})
    if not any(character.isalnum() for character in _LINK.sub("", text)):
        raise Invalid(**{field: "Say in a few words what the link shows."})
    return text


def _check_characters(field: str, text: str, most: int, allowed: str = "") -> None:
    if len(text) > most:
        raise Invalid(**{field: f"This has {len(text)} characters; at most {most} are allowed."})
    if any(unicodedata.category(c) in {"Cc", "Cs"} and c not in allowed for c in text):
        raise Invalid(**{field: "Control characters are not allowed."})


def is_id(text: str) -> bool:
    """Return whether a text of an address or a form can be the id of a row."""
    return bool(re.fullmatch(r"[0-9]{1,18}", text))


def named(label: str) -> str:
    """Return an outcome's label for a sentence, in quotes if it could be taken for a number."""
    return label if label[:1].isalpha() else f"“{label}”"


def link(field: str, url: str) -> str:
    """Return an http or https address, or the empty text. Raise Invalid."""
    if len(url) > limits.LINK_LENGTH:
        raise Invalid(**{field: f"An address has at most {limits.LINK_LENGTH} characters."})
    if url:
        try:
            URLValidator(schemes=["http", "https"])(url)
            valid = url.isprintable() and not set(url) & set(' \\<>"`{}')
        except ValidationError:
            valid = False
        if not valid or "@" in url.split("/")[2]:
            raise Invalid(**{field: "Give a full address that begins with http:// or https://."})
    return url


def slug(field: str, name: str) -> str:
    """Raise Invalid for a name without letters and digits."""
    found = slugify(name, allow_unicode=True)[: limits.SLUG_LENGTH].strip("-_")
    if not found:
        raise Invalid(**{field: f"{name!r} has no letter or digit."})
    return found


@dataclass(frozen=True)
class OutcomeDraft:
    """`probability` in millionths; None for an equal share of the rest."""

    label: str
    probability: int | None = None


DEFAULT_OUTCOMES: Final = (OutcomeDraft("Yes"), OutcomeDraft("No"))


def outcomes(drafts: Sequence[OutcomeDraft]) -> list[tuple[str, int]]:
    """Return distinct labels with priors in millionths that sum to a million. Raise Invalid."""
    fewest, most = limits.FEWEST_OUTCOMES, limits.MOST_OUTCOMES
    if not fewest <= len(drafts) <= most:
        raise Invalid(outcomes=f"A market has {fewest} to {most} outcomes; this has {len(drafts)}.")
    labels = [line("outcomes", draft.label, most=limits.LABEL_LENGTH) for draft in drafts]
    looks = {INVISIBLE.sub("", unicodedata.normalize("NFKC", label)) for label in labels}
    if len({look.casefold() for look in looks}) < len(labels):
        raise Invalid(outcomes="Two outcomes have labels that look the same.")
    given = [draft.probability for draft in drafts if draft.probability is not None]
    rest, open_places = MICRO - sum(given), len(drafts) - len(given)
    if rest and not open_places:
        total = to_text(sum(given))
        raise Invalid(outcomes=f"The probabilities sum to {total}; they must sum to 1.")
    each, extra = divmod(rest, open_places or 1)
    shares = (each + (place < extra) for place in range(open_places))
    priors = [next(shares) if d.probability is None else d.probability for d in drafts]
    if min(priors) < limits.LEAST_PROBABILITY:
        least = to_text(limits.LEAST_PROBABILITY)
        lowest = f"Every probability must be at least {least}"
        raise Invalid(outcomes=f"{lowest}, and they must sum to 1.")
    return list(zip(labels, priors, strict=True))
