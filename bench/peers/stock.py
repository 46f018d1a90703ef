"""Peer: Django as `startproject` leaves it, with Ninja and the read from the cache that the documentation shows."""

from __future__ import annotations

import json
import os
from pathlib import Path

from django.conf import settings

BODY = json.loads(Path(os.environ["PEER_BODY"]).read_bytes())
settings.configure(
    SECRET_KEY="bench",
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    INSTALLED_APPS=[
        "django.contrib.admin",
        "django.contrib.auth",
        "django.contrib.contenttypes",
        "django.contrib.sessions",
        "django.contrib.messages",
    ],
    MIDDLEWARE=[
        "django.middleware.security.SecurityMiddleware",
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.middleware.common.CommonMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        "django.contrib.messages.middleware.MessageMiddleware",
        "django.middleware.clickjacking.XFrameOptionsMiddleware",
    ],
    CACHES={
        "default": {
            "BACKEND": "django_redis.cache.RedisCache",
            "LOCATION": os.environ["REDIS_URL"],
            "KEY_PREFIX": "stock",
        }
    },
    DATABASES={},
)

from django.core.asgi import get_asgi_application

application = get_asgi_application()

from django.core.cache import cache
from django.urls import path
from ninja import NinjaAPI

api = NinjaAPI()


@api.get("/markets/{market_id}")
async def get_market(request, market_id: int):  # type: ignore[no-untyped-def]
    found = await cache.aget(f"market:{market_id}")
    if found is None:
        found = BODY
        await cache.aset(f"market:{market_id}", found, 300)
    return found


urlpatterns = [path("api/v1/", api.urls)]
