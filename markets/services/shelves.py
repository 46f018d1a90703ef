"""Create and rename categories and tags."""

from typing import TypeVar

from django.db import IntegrityError, transaction

from markets.domain import text
from markets.domain.errors import Invalid
from markets.domain.limits import SHELF_LENGTH
from markets.models import Category, Tag

Shelf = TypeVar("Shelf", Category, Tag)


def add_shelf(*, kind: type[Shelf], name: str, slug: str) -> Shelf:
    """Create a category or tag inside the caller's transaction. Raise Invalid."""
    name = text.line("name", name, most=SHELF_LENGTH)
    return _saved(kind(name=name, slug=text.slug("slug", slug or name)))


def rename_shelf(*, shelf: Shelf, name: str) -> Shelf:
    """Rename a category or tag inside the caller's transaction; keep its slug. Raise Invalid."""
    shelf.name = text.line("name", name, most=SHELF_LENGTH)
    return _saved(shelf)


def _saved(shelf: Shelf) -> Shelf:
    try:
        with transaction.atomic():
            shelf.save()
    except IntegrityError:
        raise Invalid(name="Another one has this name or slug.") from None
    return shelf
