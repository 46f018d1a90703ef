"""What the pages of accounts say and show."""

from typing import Any
from urllib.parse import parse_qs, urlsplit

from django import template
from django.conf import settings
from django.forms import BoundField, PasswordInput
from django.utils.safestring import SafeString

from markets.domain.amounts import MICRO

register = template.Library()


@register.simple_tag
def starting_grant() -> str:
    """Return the credits of a new trader, `1,000`."""
    return f"{settings.STARTING_GRANT // MICRO:,}"


@register.simple_tag
def contact_email() -> str:
    return str(settings.CONTACT_EMAIL)


@register.simple_tag
def sign_up_is() -> str:
    """Return open, invitation or closed."""
    return str(settings.SIGN_UP)


@register.filter
def comes_back_to(address: str | None) -> str:
    """Return what waits at `next`: a trade that somebody has begun, a market, or nothing."""
    parts = urlsplit(address or "")
    if not parts.path.startswith("/markets/"):
        return ""
    return "trade" if {"outcome", "side", "amount"} & set(parse_qs(parts.query)) else "market"


@register.simple_tag
def control(field: BoundField) -> SafeString:
    """Return the input of a field, told its help and errors; the first to be filled has the focus.

    Without any script: a page that comes back with errors begins at the first of them.
    """
    described = [
        f"{field.auto_id}_{part}"
        for part, is_there in (("error", field.errors), ("helptext", field.help_text))
        if is_there
    ]
    attributes: dict[str, Any] = {"placeholder": False, "autofocus": field.name == _first(field)}
    if described:
        attributes["aria-describedby"] = " ".join(described)
    if field.errors:
        attributes["aria-invalid"] = "true"
    return field.as_widget(attrs=attributes)


def _first(field: BoundField) -> str:
    """Return the name of the first field with an error, else of the first empty one."""
    fields = field.form.visible_fields()
    empty = [f for f in fields if isinstance(f.field.widget, PasswordInput) or not f.value()]
    return str(next(f for f in [*filter(_has_errors, fields), *empty, *fields]).name)


def _has_errors(field: BoundField) -> bool:
    return bool(field.errors)
