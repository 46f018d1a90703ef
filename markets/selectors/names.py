"""People and markets by what somebody types, in the ways that an index can look up."""

from typing import Final

from django.contrib.auth import get_user_model
from django.db.models import F, Q

from markets.models import Market
from markets.selectors.search import ranked

MOST: Final = 50  # people, and as many markets


def begins(field: str, text: str) -> Q:
    """Return the condition that a name begins with the text: as typed, small, or capitalised."""
    found = Q()
    for written in {text, text.lower(), text.capitalize()}:
        found |= Q(**{f"{field}__startswith": written})
    return found


def people(text: str) -> list[int]:
    """Return the ids of users whose name begins with the text."""
    users = get_user_model()._default_manager.filter(begins("username", text))
    return list(users.order_by("username").values_list("pk", flat=True)[:MOST])


def markets(text: str) -> list[int]:
    """Return the ids of the markets that the search finds, the best first."""
    found = ranked(Market.objects.only("pk"), text).order_by(F("score").desc())
    return [market.pk for market in found[:MOST]]
