"""API keys: staff see those of everybody and revoke them."""

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.utils import timezone
from unfold.paginator import InfinitePaginator

from markets.admin.base import ReadOnlyAdmin, StaffRequest, asks
from markets.domain.permissions import Permission
from markets.models import ApiKey
from markets.services import people
from markets.services.keys import revoke_key


@admin.register(ApiKey)
class ApiKeyAdmin(ReadOnlyAdmin):
    """Owners create keys (`POST /api/v1/me/keys/`), staff issue them on a person's page."""

    paginator = InfinitePaginator
    list_display = [
        "__str__", "user", "scopes", "created_at", "expires_at", "last_used_at", "revoked_at",
    ]  # fmt: skip
    list_filter = ["revoked_at"]
    list_select_related = ["user"]
    list_disable_select_all = True
    search_fields = ["name", "prefix", "user__username"]
    fields = (
        "user", "name", "prefix", "scopes", "created_at", "expires_at", "last_used_at",
        "revoked_at",
    )  # fmt: skip
    actions = ["revoke"]
    has_manage_permission = asks(Permission.MANAGE_KEYS)

    @admin.action(description="Revoke the chosen keys", permissions=["manage"])
    def revoke(self, request: StaffRequest, keys: QuerySet[ApiKey]) -> None:
        now = timezone.now()
        for key in keys.select_related("user"):
            revoke_key(user=key.user, key_id=key.pk, now=now)
            people.record_change(key.user, f"Key revoked: {key}.", actor=request.user, now=now)
        messages.success(request, f"{len(keys)} key(s) revoked.")
