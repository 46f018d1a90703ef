"""Categories and tags."""

from ninja import Schema


class ShelfOut(Schema):
    slug: str
    name: str
    markets: int


class ShelvesOut(Schema):
    items: list[ShelfOut]
    next: None = None
