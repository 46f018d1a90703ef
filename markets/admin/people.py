"""Users, groups, category follows and notifications."""

from datetime import datetime
from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.admin.utils import unquote
from django.contrib.auth import get_user_model
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db import transaction
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import path
from unfold.contrib.filters.admin import AutocompleteSelectMultipleFilter
from unfold.decorators import display
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm
from unfold.paginator import InfinitePaginator
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget, UnfoldAdminSelect2MultipleWidget

from markets.admin import traders
from markets.admin.base import BaseAdmin, ReadOnlyAdmin
from markets.admin.pages import opens
from markets.admin.person_pages import (
    GrantPage,
    IssueKeyPage,
    LiftPage,
    RemoveFactorPage,
    SuspendPage,
)
from markets.domain.amounts import to_text
from markets.domain.errors import Invalid, Refused
from markets.domain.permissions import outranks
from markets.models import Account, CategoryFollow, Notification
from markets.selectors.accounts import has_second_factor
from markets.services import people

User = get_user_model()
admin.site.unregister(Group)

NAMES = ("first_name", "last_name", "email")
RIGHTS = ("is_staff", "is_superuser", "groups", "user_permissions")
DATES = ("last_login", "date_joined")


class PersonForm(UserChangeForm):
    """A person with their rights, which nobody takes from themselves."""

    actor: Any

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean()
        if "is_superuser" in self.fields:
            staff, superuser = cleaned.get("is_staff", False), cleaned.get("is_superuser", False)
            try:
                people.check_rights(
                    user_id=self.instance.pk, actor=self.actor, staff=staff, superuser=superuser
                )
            except Invalid as refusal:
                self.add_error(None, forms.ValidationError(refusal.fields))
            except Refused as refusal:
                self.add_error(None, str(refusal))
        return cleaned


class UserAdmin(DjangoUserAdmin, BaseAdmin):
    """Only superusers grant rights or edit staff: no escalation through "edit users".

    `is_active` is in no form: people are suspended by a button, with a reason.
    """

    form = PersonForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    change_form_template = "admin/people/person.html"
    object_history_template = "admin/people/history.html"
    empty_value_display = "–"
    filter_horizontal = ()
    list_display = ["username", "full_name", "balance", "last_trade", "last_login", "state", "role"]
    list_filter = ["is_active", "is_staff"]
    list_disable_select_all = True
    search_fields = ["username", "email"]
    search_help_text = "Username or e-mail"
    actions_detail = ["grant", "suspend", "lift", "issue_key", "remove_factor"]
    actions_detail_hide_default = True  # the history is a tab

    grant, suspend, lift = opens(GrantPage), opens(SuspendPage), opens(LiftPage)
    issue_key, remove_factor = opens(IssueKeyPage), opens(RemoveFactorPage)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return traders.with_accounts(super().get_queryset(request))

    def get_paginator(self, request: Any, queryset: Any, *args: Any, **kwargs: Any) -> Any:
        """Count the entries of one person's history, newest first, and never the people."""
        if queryset.model is LogEntry:
            return Paginator(queryset.order_by("-action_time", "-pk"), *args, **kwargs)
        return InfinitePaginator(queryset, *args, **kwargs)

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view(self.tab_view)
        tabs = [
            path(f"<path:object_id>/{tab.slug}/", view, {"tab": tab}, f"auth_user_{tab.slug}")
            for tab in traders.TABS
        ]
        return [*tabs, *super().get_urls()]

    def tab_view(self, request: HttpRequest, object_id: str, tab: Any) -> HttpResponse:
        """Show a tab of the person's page; the overview is the form."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        person = self.get_object(request, unquote(object_id))
        if person is None:
            raise Http404("There is no such user.")
        context = {**self.context(request, person, tab.slug), "title": f"{tab.title}: {person}"}
        return tab(person).changelist_view(request, context)

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: Any = None
    ) -> HttpResponse:
        person = self.get_object(request, unquote(object_id))
        if person and self.has_view_permission(request, person):
            extra_context = self.context(request, person, "history")
        return super().history_view(request, object_id, extra_context)

    def render_change_form(
        self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any
    ) -> HttpResponse:
        if person := kwargs.get("obj"):
            context.update(self.context(request, person, "change"))
        return super().render_change_form(request, context, *args, **kwargs)

    def context(self, request: HttpRequest, person: Any, shown: str) -> dict[str, Any]:
        """Return what every tab has: the figures, the tabs and the buttons."""
        allowed = [
            action
            for action in self.get_actions_detail(request, person.pk)
            if self._fits(request, person, action.action_name.removeprefix("auth_user_"))
        ]
        buttons = self._get_actions_navigation(self.actions_detail, allowed, str(person.pk))
        more = {"actions_detail": buttons, "original": person, "opts": self.opts}
        return {**traders.about(request, person, shown), **more}

    def _fits(self, request: HttpRequest, person: Any, action: str) -> bool:
        """Return whether a button that the caller may press does something for the person."""
        if action in {"suspend", "lift"}:
            legal = person.is_active == (action == "suspend")
            return legal and person != request.user and outranks(request.user, person)
        if action == "remove_factor":
            return self._outranks(request, person) and has_second_factor(person)
        return action != "issue_key" or self._outranks(request, person)

    # --- the form ---

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj is None:
            return self.add_fieldsets
        edits, rules = self.has_change_permission(request, obj), request.user.is_superuser
        return [
            (None, {"fields": ("username", "password") if edits else ("username",)}),
            ("Personal info", {"fields": NAMES}),
            ("Rights", {"fields": RIGHTS if rules else ("role", "shown_groups")}),
            ("Dates", {"fields": DATES}),
        ]

    def get_form(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        form: Any = super().get_form(request, *args, **kwargs)
        form.actor = request.user
        return form

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        own = ("role", "shown_groups", *DATES)
        return own if request.user.is_superuser else (*own, *RIGHTS)

    def formfield_for_manytomany(self, db_field: Any, request: Any, **kwargs: Any) -> Any:
        """Show the few groups as boxes to tick, the many permissions as a list to search."""
        if db_field.name == "groups":
            kwargs["widget"] = UnfoldAdminCheckboxSelectMultipleWidget()
            return super().formfield_for_manytomany(db_field, request, **kwargs)
        field: Any = super().formfield_for_manytomany(db_field, request, **kwargs)
        field.widget, field.help_text = UnfoldAdminSelect2MultipleWidget(), ""
        field.widget.choices = field.choices
        return field

    def formfield_for_dbfield(self, db_field: Any, request: Any, **kwargs: Any) -> Any:
        field: Any = super().formfield_for_dbfield(db_field, request, **kwargs)
        if db_field.many_to_many:
            field.widget.can_add_related = False  # groups are made on a page of their own
        return field

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._outranks(request, obj) and super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        fits = self._outranks(request, obj) and obj != request.user
        return fits and super().has_delete_permission(request, obj)

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        try:
            people.check_rights(user_id=obj.pk, actor=request.user, staff=False, superuser=False)
        except Refused as refusal:
            raise PermissionDenied(str(refusal)) from None
        super().delete_model(request, obj)

    def delete_queryset(self, request: HttpRequest, queryset: Any) -> None:
        with transaction.atomic():
            for person in queryset:
                self.delete_model(request, person)

    @staticmethod
    def _outranks(request: HttpRequest, user: Any) -> bool:
        """Return whether the caller may edit the user, whose rights a new password would give."""
        return user in {None, request.user} or outranks(request.user, user)

    # --- columns ---

    def get_list_display(self, request: HttpRequest) -> list[Any]:
        money = {"balance", "last_trade"}
        seen = traders.sees(request, Account)
        return [name for name in self.list_display if seen or name not in money]

    @admin.display(description="Name")
    def full_name(self, person: Any) -> str:
        return person.get_full_name() or "–"

    @admin.display(description="Credits")
    def balance(self, person: Any) -> str:
        return "–" if person.balance is None else to_text(person.balance)

    @admin.display(description="Last trade")
    def last_trade(self, person: Any) -> datetime | None:
        return person.last_trade

    @display(description="State", label={"active": "success", "suspended": "danger"})
    def state(self, person: Any) -> str:
        return traders.state_of(person)

    @admin.display(description="Staff")
    def role(self, person: Any) -> str:
        return traders.role_of(person)

    @admin.display(description="Groups")
    def shown_groups(self, person: Any) -> str:
        return ", ".join(person.groups.values_list("name", flat=True)) or "–"


if admin.site.is_registered(User):  # a custom user model brings its own admin
    admin.site.unregister(User)
    admin.site.register(User, UserAdmin)


@admin.register(Group)
class GroupAdmin(DjangoGroupAdmin, BaseAdmin):
    def _is_superuser(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.is_superuser

    has_add_permission = has_change_permission = has_delete_permission = _is_superuser


@admin.register(CategoryFollow)
class CategoryFollowAdmin(BaseAdmin):
    list_display = ["user", "category"]
    list_filter = [("category", AutocompleteSelectMultipleFilter)]
    list_filter_submit = True
    list_select_related = ["user", "category"]
    autocomplete_fields = ["user", "category"]


@admin.register(Notification)
class NotificationAdmin(ReadOnlyAdmin):
    list_display = ["created_at", "user", "text", "read_at", "email"]
    list_filter = ["email_due"]
    list_select_related = ["user"]

    @admin.display(description="E-mail")
    def email(self, notification: Notification) -> str:
        return "still to be sent" if notification.email_due else "none due"
