"""What the admins share: saving through services, columns of amounts, permissions."""

import re
from collections.abc import Callable
from functools import cached_property
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.auth.models import User
from django.core.exceptions import BadRequest
from django.core.paginator import Paginator
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from unfold.admin import ModelAdmin, TabularInline
from unfold.widgets import UnfoldAdminTextInputWidget

from markets.domain.amounts import to_text
from markets.domain.errors import Invalid, Refused
from markets.domain.permissions import Permission, may


class StaffRequest(HttpRequest):
    user: User
    refusal: Refused  # while the form is shown again


class ServiceForm(forms.ModelForm):
    """A form that a service validates and saves. It shows the service's errors at their fields."""

    refusal: Refused | None = None

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if isinstance(self.refusal, Invalid):
            for field, message in self.refusal.fields.items():
                self.add_error(field if field in self.fields else None, message)
        elif self.refusal is not None:
            self.add_error(None, str(self.refusal))
        return cleaned

    def _post_clean(self) -> None:
        """Do not validate the instance: the service sets its fields."""


class BoundedPaginator(Paginator):
    """Counts no further than 10,000 rows: a table's size does not slow its list."""

    object_list: QuerySet[Any]

    @cached_property
    def count(self) -> int:
        return self.object_list.order_by()[:10_000].count()


def is_id(text: str) -> bool:
    """Return whether a text of an address can be the id of a row."""
    return bool(re.fullmatch(r"[0-9]{1,18}", text))


def check_ids(request: HttpRequest, *names: str) -> None:
    """Raise BadRequest. Django's lists that complete themselves fail at ids of no row."""
    for name in names:
        values = ",".join([*request.GET.getlist(name), *request.POST.getlist(name)])
        if not re.fullmatch(r"[\d,]*", values) or re.search(r"\d{19}", values):
            raise BadRequest(f"{name}: choose from the list.")


class BaseAdmin(ModelAdmin):
    list_per_page = 50
    paginator: Any = BoundedPaginator
    show_full_result_count = False

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        check_ids(request, *self.autocomplete_fields)
        return super().changeform_view(request, *args, **kwargs)

    def response_action(self, request: HttpRequest, queryset: QuerySet[Any]) -> Any:
        if all(pk.isdecimal() for pk in request.POST.getlist(ACTION_CHECKBOX_NAME)):
            return super().response_action(request, queryset)
        messages.error(request, "Choose rows of this list.")
        return None


def asks(permission: Permission) -> Callable[..., bool]:
    """Return a `has_…_permission` method, which an action's `permissions` names."""

    def has_permission(_admin: object, request: StaffRequest, _row: object = None) -> bool:
        return may(request.user, permission)

    return has_permission


for _permission in Permission:  # has_resolve_market_permission …, which actions name
    setattr(BaseAdmin, f"has_{_permission.name.lower()}_permission", asks(_permission))


class ServiceAdmin(BaseAdmin):
    """Saves rows by calling `save` in the transaction of Django's form.

    If `save` raises Refused, the transaction is rolled back and the form, a `ServiceForm`, is
    shown again with the error.
    """

    def save(self, request: StaffRequest, form: Any, formsets: Any, change: bool) -> Model:
        """Save the form by a service and return the row."""
        raise NotImplementedError

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            return super().changeform_view(request, *args, **kwargs)
        except Refused as refusal:
            request.refusal = refusal  # type: ignore[attr-defined]  # a StaffRequest
            return super().changeform_view(request, *args, **kwargs)

    def get_form(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        form = super().get_form(request, *args, **kwargs)
        form.refusal = getattr(request, "refusal", None)
        return form

    def save_form(self, request: Any, form: Any, change: bool) -> Any:
        return form.instance

    def save_model(self, request: Any, obj: Any, form: Any, change: bool) -> None:
        """Do nothing: `save_related` saves the row together with its inlines."""

    def save_related(self, request: Any, form: Any, formsets: Any, change: bool) -> None:
        saved = self.save(request, form, formsets, change)
        form.instance.__dict__.update({**saved.__dict__, "_state": saved._state})
        form.save_m2m = lambda: None
        for formset in formsets:
            formset.new_objects = formset.changed_objects = formset.deleted_objects = []


class ReadOnly:
    """Mixin of admins and inlines whose rows nobody may add, change or delete."""

    def _refuse(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    has_add_permission = has_change_permission = has_delete_permission = _refuse


class ReadOnlyAdmin(ReadOnly, BaseAdmin):
    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return self.fields or super().get_readonly_fields(request, obj)


class ReadOnlyInline(ReadOnly, TabularInline):
    max_num = 0
    can_delete = False
    per_page = 50


def amount(field: str, description: str) -> Callable[[Any], str]:
    """Return a column that shows millionths as a decimal."""

    @admin.display(description=description, ordering=field)
    def show(row: Any) -> str:
        value = getattr(row, field)
        return "–" if value is None else to_text(value)  # of a row that is not saved

    show.__name__ = f"{field}_text"
    return show


def beside(label: str, *actions: str) -> forms.Widget:
    """Return an input beside the list of actions, visible while one of `actions` is chosen."""
    chosen = f"{list(actions)}.includes(action)"
    return UnfoldAdminTextInputWidget(
        {"placeholder": label, "aria-label": label, "x-show": chosen, "x-cloak": ""}
    )
