"""Users, groups, category follows, notifications and API keys."""

from typing import Any

from django.contrib import admin, messages
from django.contrib.auth import get_user_model
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from markets.admin.base import BaseAdmin, ReadOnlyAdmin, StaffRequest, asks
from markets.domain.permissions import Permission
from markets.models import ApiKey, CategoryFollow, Notification
from markets.services.keys import revoke_key

User = get_user_model()
admin.site.unregister(Group)
if admin.site.is_registered(User):  # a custom user model brings its own admin
    admin.site.unregister(User)

    @admin.register(User)
    class UserAdmin(DjangoUserAdmin, BaseAdmin):
        """Only superusers grant rights or edit superusers: no escalation through "edit users"."""

        form = UserChangeForm
        add_form = UserCreationForm
        change_password_form = AdminPasswordChangeForm

        def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
            rights = ["is_staff", "is_superuser", "groups", "user_permissions"]
            return [] if request.user.is_superuser else rights

        def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
            return _outranks(request, obj) and super().has_change_permission(request, obj)

        def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
            return _outranks(request, obj) and super().has_delete_permission(request, obj)


def _outranks(request: HttpRequest, user: Any) -> bool:
    """Return whether the user is no other member of staff, whose rights a password would give."""
    return user in {None, request.user} or request.user.is_superuser or not user.is_staff


@admin.register(Group)
class GroupAdmin(DjangoGroupAdmin, BaseAdmin):
    def _is_superuser(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.is_superuser

    has_add_permission = has_change_permission = has_delete_permission = _is_superuser


@admin.register(CategoryFollow)
class CategoryFollowAdmin(BaseAdmin):
    list_display = ["user", "category"]
    list_filter = ["category"]
    autocomplete_fields = ["user", "category"]


@admin.register(Notification)
class NotificationAdmin(ReadOnlyAdmin):
    list_display = ["created_at", "user", "text", "read_at", "email_due"]
    list_filter = ["email_due"]
    list_select_related = ["user"]


@admin.register(ApiKey)
class ApiKeyAdmin(ReadOnlyAdmin):
    """Owners create keys (`POST /api/v1/me/keys/`, `manage.py issue_key`); staff revoke them."""

    list_display = [
        "__str__", "user", "scopes", "created_at", "expires_at", "last_used_at", "revoked_at",
    ]  # fmt: skip
    list_filter = ["revoked_at"]
    list_select_related = ["user"]
    search_fields = ["name", "prefix", "user__username"]
    fields = (
        "user", "name", "prefix", "scopes", "created_at", "expires_at", "last_used_at",
        "revoked_at",
    )  # fmt: skip
    actions = ["revoke"]
    has_manage_permission = asks(Permission.MANAGE_KEYS)

    @admin.action(description="Revoke the chosen keys", permissions=["manage"])
    def revoke(self, request: StaffRequest, keys: QuerySet[ApiKey]) -> None:
        for key in keys.select_related("user"):
            revoke_key(user=key.user, key_id=key.pk, now=timezone.now())
        messages.success(request, f"{len(keys)} key(s) revoked.")
