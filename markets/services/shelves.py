"""Categories and tags by hand."""

from typing import TypeVar

from django.db import IntegrityError, transaction

from markets.domain import text
from markets.domain.errors import Invalid
from markets.domain.limits import SHELF_LENGTH
from markets.models import Category, Tag

S = TypeVar("S", Category, Tag)


def add_shelf(*, kind: type[S], name: str, slug: str) -> S:
    """Make a category or tag inside the caller's transaction. Its slug never changes. Raise Invalid."""
    name = text.line("name", name, most=SHELF_LENGTH)
    return _saved(kind(name=name, slug=text.slug("slug", slug or name)))


def rename_shelf(*, shelf: S, name: str) -> S:
    """Give a category or tag another name inside the caller's transaction; its address stays. Raise Invalid."""
    shelf.name = text.line("name", name, most=SHELF_LENGTH)
    return _saved(shelf)


def _saved(shelf: S) -> S:
    try:
        with transaction.atomic():
            shelf.save()
    except IntegrityError:
        raise Invalid(name="Another one has this name or slug.") from None
    return shelf
