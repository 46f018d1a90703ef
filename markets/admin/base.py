"""What all of the admin has in common: saving through services, amounts that people can read, and permissions by name."""

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.auth.models import User
from django.db.models import Model
from django.http import HttpRequest, HttpResponse
from unfold.admin import ModelAdmin, TabularInline

from markets.domain.amounts import to_text
from markets.domain.errors import Invalid, Refused
from markets.domain.permissions import Permission, may


class StaffRequest(HttpRequest):
    """A request of the admin: its user has signed in."""

    user: User
    refusal: Refused  # what a service said to the form, while the form is shown again


class ServiceForm(forms.ModelForm):
    """A form whose values a service checks and saves. What the service refused stands at the field that it is about."""

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
        """Leave the instance alone: the service sets it, and the database's constraints are the service's to keep."""


class ServiceAdmin(ModelAdmin):
    """An admin of rows that a service saves, in the one transaction that Django opens for a form.

    `save_with_service` calls the service. When the service refuses, nothing is saved and the form is shown again, with
    everything that was typed and the refusal at its field; the form is a `ServiceForm`. A model without a service overrides
    nothing: Django saves it.
    """

    list_per_page = 50
    show_full_result_count = False

    def save_with_service(
        self, request: StaffRequest, form: Any, formsets: Any, change: bool
    ) -> Model:
        """Save what was typed and return the row. Raise Refused."""
        raise NotImplementedError

    def _has_service(self) -> bool:
        return type(self).save_with_service is not ServiceAdmin.save_with_service

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        try:
            return super().changeform_view(request, object_id, form_url, extra_context)
        except Refused as refusal:  # the transaction was rolled back
            request.refusal = refusal  # type: ignore[attr-defined]  # it is a StaffRequest
            return super().changeform_view(request, object_id, form_url, extra_context)

    def get_form(self, request: Any, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        form = super().get_form(request, obj, change=change, **kwargs)
        if self._has_service():
            form.refusal = getattr(request, "refusal", None)
        return form

    def save_form(self, request: Any, form: Any, change: bool) -> Any:
        return form.instance if self._has_service() else super().save_form(request, form, change)

    def save_model(self, request: Any, obj: Any, form: Any, change: bool) -> None:
        """Leave a row that has a service to `save_related`: what the inlines say belongs to the same call."""
        if not self._has_service():
            super().save_model(request, obj, form, change)

    def save_related(self, request: Any, form: Any, formsets: Any, change: bool) -> None:
        if not self._has_service():
            super().save_related(request, form, formsets, change)
            return
        saved = self.save_with_service(request, form, formsets, change)
        form.instance.__dict__.update({**saved.__dict__, "_state": saved._state})
        form.save_m2m = lambda: None
        for formset in formsets:
            formset.new_objects = formset.changed_objects = formset.deleted_objects = []


class ReadOnly:
    """Mixin of rows that people look at and never write."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class ReadOnlyAdmin(ReadOnly, ServiceAdmin):
    """An admin of rows that people look at and never write. `shown` lists what the page of one row tells."""

    shown: tuple[Any, ...] = ()

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return self.shown or super().get_fields(request, obj)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return self.shown or super().get_readonly_fields(request, obj)


class ReadOnlyInline(ReadOnly, TabularInline):
    """Rows on the page of another, a page at a time."""

    max_num = 0
    can_delete = False
    per_page = 50


def asks(permission: Permission) -> Callable[..., bool]:
    """Return a `has_…_permission` method, as an action's `permissions` want it."""

    def has_permission(_admin: object, request: StaffRequest, _row: object = None) -> bool:
        return may(request.user, permission)

    return has_permission


def amount(field: str, description: str) -> Callable[[Any], str]:
    """Return a column that shows millionths as a decimal."""

    @admin.display(description=description, ordering=field)
    def show(row: Any) -> str:
        return to_text(getattr(row, field))

    show.__name__ = f"{field}_text"
    return show
