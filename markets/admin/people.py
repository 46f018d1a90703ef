"""Who follows what, who was told what, and whose keys are whose."""

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

from markets.admin.base import ReadOnlyAdmin, ServiceAdmin, StaffRequest, asks
from markets.domain.permissions import Permission
from markets.models import ApiKey, CategoryFollow, Notification
from markets.services.keys import revoke_key

User = get_user_model()
admin.site.unregister(Group)
if admin.site.is_registered(User):  # an installation's own user model brings its own admin
    admin.site.unregister(User)

    @admin.register(User)
    class UserAdmin(DjangoUserAdmin, ServiceAdmin):  # type: ignore[misc]  # their get_form
        """Only a superuser gives rights or changes a superuser: otherwise who may edit people could take any right."""

        form = UserChangeForm
        add_form = UserCreationForm
        change_password_form = AdminPasswordChangeForm

        def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
            rights = ["is_staff", "is_superuser", "groups", "user_permissions"]
            return [] if request.user.is_superuser else rights

        def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
            theirs = obj is None or request.user.is_superuser or not obj.is_superuser
            return theirs and super().has_change_permission(request, obj)

        def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
            theirs = obj is None or request.user.is_superuser or not obj.is_superuser
            return theirs and super().has_delete_permission(request, obj)


@admin.register(Group)
class GroupAdmin(DjangoGroupAdmin, ServiceAdmin):
    """Only a superuser says what a group may do."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return request.user.is_superuser

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.is_superuser

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.is_superuser


@admin.register(CategoryFollow)
class CategoryFollowAdmin(ServiceAdmin):
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
    """Keys are made by their owners (`POST /api/v1/me/keys/`, `manage.py issue_key`); staff can end them."""

    list_display = [
        "__str__",
        "user",
        "scopes",
        "created_at",
        "expires_at",
        "last_used_at",
        "revoked_at",
    ]
    list_filter = ["revoked_at"]
    list_select_related = ["user"]
    search_fields = ["name", "prefix", "user__username"]
    shown = (
        "user",
        "name",
        "prefix",
        "scopes",
        "created_at",
        "expires_at",
        "last_used_at",
        "revoked_at",
    )
    actions = ["revoke"]
    has_manage_permission = asks(Permission.MANAGE_KEYS)

    @admin.action(description="Revoke the chosen keys", permissions=["manage"])
    def revoke(self, request: StaffRequest, keys: QuerySet[ApiKey]) -> None:
        for key in keys.select_related("user"):
            revoke_key(user=key.user, key_id=key.pk, now=timezone.now())
        messages.success(request, f"{len(keys)} key(s) revoked.")
