"""Categories and tags."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from markets.admin.base import ServiceAdmin, ServiceForm, StaffRequest
from markets.models import Category, Tag
from markets.services import catalogue


class ShelfAdmin(ServiceAdmin):
    """Categories or tags. The slug is set once; a shelf with markets cannot be deleted."""

    form = ServiceForm
    list_display = ["name", "slug"]
    search_fields = ["name"]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return ["slug"] if obj else []

    def get_prepopulated_fields(self, request: HttpRequest, obj: Any = None) -> dict[str, Any]:
        return {} if obj else {"slug": ["name"]}

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_delete_permission(request, obj) and not (obj and obj.markets.exists())

    def save(self, request: StaffRequest, form: Any, formsets: Any, change: bool) -> Category | Tag:
        written = form.cleaned_data
        if change:
            return catalogue.rename_shelf(shelf=form.instance, name=written["name"])
        return catalogue.add_shelf(kind=self.model, name=written["name"], slug=written["slug"])


admin.site.register(Category, ShelfAdmin)
admin.site.register(Tag, ShelfAdmin)
