"""The public names of people: what one may be called, and who looks like whom."""

import re
import unicodedata
from collections.abc import Iterable
from typing import Final

from django.utils.translation import gettext as _

from markets.domain.errors import Invalid
from markets.domain.limits import USERNAME_LENGTH
from markets.domain.text import INVISIBLE

RESERVED: Final = (
    "admin", "administrator", "administration", "anonymous", "bellwether", "market", "markets",
    "moderator", "official", "operator", "root", "security", "staff", "superuser", "support",
    "system", "treasury", "webmaster",
)  # fmt: skip

# Letters of other scripts, digits and signs, by the Latin letter that each is taken for.
_LIKE: Final = {
    "a": "аΑαɑ@4", "b": "ВвьΒβ8", "c": "СсϲЅ", "d": "ԁđ", "e": "ЕеЁёΕε3єҽ€", "g": "ɡ9", "h": "НнһΗ",
    "j": "Јј", "k": "КкΚκ", "l": "1!|ІіΙιӀӏıIiŁł", "m": "МмΜ",
    "n": "Νηпո", "o": "0ОоΟοσօøØ", "p": "РрΡρ",
    "q": "ԛ", "r": "гɾ", "s": "5$ѕ", "t": "ТтΤτ7+", "u": "υսuμ", "v": "νѵ", "w": "ԝω", "x": "ХхΧχ",
    "y": "УуΥγү", "z": "Ζ2",
}  # fmt: skip
_LATIN: Final = str.maketrans({sign: letter for letter, signs in _LIKE.items() for sign in signs})


def skeleton(name: str) -> str:
    """Return what the eye keeps of a name: names that look alike have the same."""
    plain = unicodedata.normalize("NFKC", name).translate(_LATIN).casefold()
    parts = unicodedata.normalize("NFKD", plain).translate(_LATIN)
    return "".join(c for c in parts if c.isalnum()).replace("rn", "m").replace("vv", "w")


_RESERVED: Final = {skeleton(word) for word in RESERVED}


def clean(field: str, name: str) -> str:
    """Return a name in its normal form. Raise Invalid with a sentence that helps."""
    name = unicodedata.normalize("NFKC", name.strip())
    if not name:
        raise Invalid(**{field: _("Choose a name.")})
    if len(name) > USERNAME_LENGTH:
        too_long = _("This has %(count)d characters; a name has at most %(most)d.")
        raise Invalid(**{field: too_long % {"count": len(name), "most": USERNAME_LENGTH}})
    if INVISIBLE.search(name) or not re.fullmatch(r"[\w.+-]+", name):
        near = _near(name)
        why = _("Use letters and digits, and . + - _ between them, but no spaces.")
        raise Invalid(**{field: f"{why} {_('How about')} {near}?" if near else why})
    if not any(c.isalnum() for c in name):
        raise Invalid(**{field: _("A name has at least one letter or digit.")})
    return name


def _near(name: str) -> str:
    """Return a name that would be allowed and is near to one that is not, if there is one."""
    words = re.findall(r"[^\W_]+", INVISIBLE.sub(" ", name))
    return "_".join(words)[:USERNAME_LENGTH].strip("_")


def check_imitates(field: str, name: str, staff: Iterable[str]) -> None:
    """Raise Invalid for a name that people would take for staff's. `staff` are their names."""
    words = [name, name.strip("0123456789"), *re.split(r"[\W_]+|(?<=[a-z])(?=[A-Z])", name)]
    looks = {skeleton(word) for word in words if word}
    if looks & _RESERVED:
        why = _("This name sounds as if you spoke for this site. Choose one that is yours alone.")
        raise Invalid(**{field: why})
    if skeleton(name) in {skeleton(one) for one in staff}:
        why = _("This name looks like that of a member of staff. Choose one that is not mistaken.")
        raise Invalid(**{field: why})
