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
from django.db.models import Model, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.text import Truncator
from unfold.admin import ModelAdmin, TabularInline
from unfold.widgets import UnfoldAdminTextInputWidget

from markets.domain.amounts import to_text
from markets.domain.errors import Invalid, Refused
from markets.domain.permissions import Permission, may
from markets.domain.text import is_id
from markets.selectors import names


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

    def construct_change_message(
        self, request: HttpRequest, form: Any, formsets: Any, add: bool = False
    ) -> Any:
        """Return what was changed with its values, "Staff: no → yes; groups: + Treasurers."."""
        if add:
            return super().construct_change_message(request, form, formsets, add)
        changes = "; ".join(described(form, name) for name in form.changed_data)
        return f"{changes[:1].upper()}{changes[1:]}." if changes else "Nothing was changed."

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


class NamesAdmin(BaseAdmin):
    """A list of rows of people or markets, searched for their names through the names' indexes."""

    person_field = ""
    market_field = ""
    search_fields = ["pk"]  # there is a search; these are not what it looks at

    def get_search_results(
        self, request: HttpRequest, queryset: Any, search_term: str
    ) -> tuple[Any, bool]:
        if not search_term:
            return queryset, False
        found = Q(pk__in=())
        if self.person_field and (people := names.people(search_term)):
            found |= Q(**{f"{self.person_field}__in": people})
        if self.market_field and (markets := names.markets(search_term)):
            found |= Q(**{f"{self.market_field}__in": markets})
        return queryset.filter(found), False


def described(form: Any, name: str) -> str:
    """Return the change of a field of a form, before → after, in plain words."""
    if name == "password":
        return "password changed"
    label = {"is_staff": "staff", "is_superuser": "superuser"}.get(name)
    label = label or str(form.fields[name].label).lower()
    before, after = form.initial.get(name), form.cleaned_data[name]
    if isinstance(after, QuerySet):
        old, new = set(before or ()), set(after)
        come = [f"+ {row.name}" for row in sorted(new - old, key=str)]
        gone = [f"− {row.name}" for row in sorted(old - new, key=str)]
        return f"{label}: {', '.join([*come, *gone])}"
    if isinstance(after, bool):
        before, after = ("yes" if value else "no" for value in (before, after))
    before, after = (Truncator(value or "–").chars(200) for value in (before, after))
    return f"{label}: {before} → {after}"


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


class WorkAdmin(ReadOnlyAdmin):
    """Rows that a worker works on: the page of one asks again every second until it is done."""

    def change_view(self, request: HttpRequest, object_id: str, *args: Any, **kwargs: Any) -> Any:
        answer = super().change_view(request, object_id, *args, **kwargs)
        at_work = self.model._default_manager.filter(state__in=["queued", "running"])
        if is_id(object_id) and at_work.filter(pk=object_id).exists():
            answer.headers["Refresh"] = "1"  # second
        return answer


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
