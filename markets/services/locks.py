"""The locks that several services take."""

from typing import Any

from django.contrib.auth import get_user_model

from markets.domain.errors import NotFound
from markets.infra.database import busy_when_locked


def lock_people(*user_ids: int) -> dict[int, Any]:
    """Return the people by id, locked in the order of their ids. Raise NotFound, Busy."""
    rows = get_user_model()._default_manager.select_for_update(no_key=True)  # trades go on
    with busy_when_locked():
        people = {user.pk: user for user in rows.filter(pk__in=user_ids).order_by("pk")}
    if missing := set(user_ids) - set(people):
        raise NotFound("user", min(missing))
    return people
