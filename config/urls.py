"""Addresses. The streams are in `markets/routing.py`."""

from django.contrib import admin
from django.urls import include, path

from markets.api.root import api

urlpatterns = [
    path("admin/", admin.site.urls),
    path("api/v1/", api.urls),
    path("", include("markets.urls")),
]
