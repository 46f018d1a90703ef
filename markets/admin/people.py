"""Who follows what, who was told what, and whose keys are whose."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.contrib.auth import get_user_model
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from unfold.admin import ModelAdmin
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from markets.admin.readonly import ReadOnly
from markets.models import ApiKey, CategoryFollow, Notification
from markets.services import accounts

User = get_user_model()
admin.site.unregister(Group)
if admin.site.is_registered(User):  # an installation's own user model brings its own admin
    admin.site.unregister(User)

    @admin.register(User)
    class UserAdmin(DjangoUserAdmin, ModelAdmin):
        form = UserChangeForm
        add_form = UserCreationForm
        change_password_form = AdminPasswordChangeForm


@admin.register(Group)
class GroupAdmin(DjangoGroupAdmin, ModelAdmin):
    pass


@admin.register(CategoryFollow)
class CategoryFollowAdmin(ModelAdmin):
    list_display = ["user", "category"]
    list_filter = ["category"]
    autocomplete_fields = ["user", "category"]


@admin.register(Notification)
class NotificationAdmin(ReadOnly, ModelAdmin):
    list_display = ["created_at", "user", "text", "read_at", "email_due"]
    list_filter = ["email_due"]
    list_select_related = ["user"]
    list_per_page = 50
    show_full_result_count = False


@admin.register(ApiKey)
class ApiKeyAdmin(ReadOnly, ModelAdmin):
    """Keys are made by their owners (`POST /api/v1/me/keys/`); staff can end them."""

    list_display = ["__str__", "user", "scopes", "created_at", "expires_at", "last_used_at", "revoked_at"]
    list_filter = ["revoked_at"]
    list_select_related = ["user"]
    search_fields = ["name", "prefix", "user__username"]
    exclude = ["digest"]
    actions = ["revoke"]

    @admin.action(description="Revoke the chosen keys")
    def revoke(self, request: HttpRequest, keys: QuerySet[Any]) -> None:
        for key in keys.select_related("user"):
            accounts.revoke_key(user=key.user, key_id=key.pk, now=timezone.now())
        messages.success(request, f"{len(keys)} key(s) revoked.")
