"""Addresses. The streams are in `markets/web/streams/routing.py`."""

from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView

from markets.web.api.root import api

handler500 = "markets.web.pages.failures.server_error"

urlpatterns = [
    path("admin", RedirectView.as_view(pattern_name="admin:index")),
    path("admin/", admin.site.urls),
    path("api/v1/", api.urls),
    path("", include("markets.urls")),
]
