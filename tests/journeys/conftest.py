"""What the journeys may use besides: a browser, and staff with the rights that they are given."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission

from tests.support.browser import browser, page
from tests.support.people import person

__all__ = ["browser", "page"]


@pytest.fixture
def staff_member(world: None) -> Callable[..., Any]:
    """Makes somebody of the staff who is in these groups and has these permissions, and no more."""

    def make(
        name: str = "sam", *, groups: tuple[str, ...] = (), permissions: tuple[str, ...] = ()
    ) -> Any:
        user = person(name, is_staff=True)
        user.groups.set(Group.objects.filter(name__in=groups))
        user.user_permissions.set(
            Permission.objects.filter(content_type__app_label="markets", codename__in=permissions)
        )
        assert (user.groups.count(), user.user_permissions.count()) == (
            len(groups),
            len(permissions),
        )
        return user

    return make
