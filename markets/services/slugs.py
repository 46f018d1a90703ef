"""The slugs of markets."""

import re
from itertools import count

from django.db import connection
from django.utils.text import slugify

from markets.domain.limits import SLUG_LENGTH
from markets.models import Market


def free_slug(name: str, *, held: str = "") -> str:
    """Return a slug for the name, with a number appended when another market has it.

    `held`, the market's present slug, is kept while it fits. A lock keeps two transactions from
    taking the same slug.
    """
    base = slugify(name)[: SLUG_LENGTH - 8].strip("-_") or "market"
    if re.fullmatch(rf"{re.escape(base)}(-[0-9]+)?", held):
        return held
    family = re.sub(r"(-[0-9]+)+$", "", base)  # a market "Race 2" has the base "race-2"
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"slug:{family}"])
    markets = Market.objects.order_by()
    if not markets.filter(slug=base).exists():
        return base
    numbered = markets.filter(slug__startswith=f"{base}-", slug__regex=f"^{base}-[0-9]+$")
    taken = set(numbered.values_list("slug", flat=True))
    return next(slug for number in count(2) if (slug := f"{base}-{number}") not in taken)
