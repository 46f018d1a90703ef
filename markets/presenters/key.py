from typing import Any

from markets.domain.time import time_text
from markets.models import ApiKey


def present_key(key: ApiKey) -> dict[str, Any]:
    """Return a key without its secret."""
    return {
        "id": key.pk,
        "name": key.name,
        "prefix": f"bw_{key.prefix}",
        "scopes": key.scopes,
        "created_at": time_text(key.created_at),
        "expires_at": time_text(key.expires_at),
        "revoked_at": time_text(key.revoked_at),
        "last_used_at": time_text(key.last_used_at),
    }
