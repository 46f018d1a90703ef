"""The root of the URLs; those of the streams are in `markets/web/streams/routing.py`."""

from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView

from markets.web.accounts.views import SignUp
from markets.web.api.root import api
from markets.web.pages.errors import nothing_here

handler400 = "markets.web.pages.errors.not_understood"
handler403 = "markets.web.pages.errors.not_allowed"
handler404 = "markets.web.pages.errors.not_found"
handler429 = "markets.web.pages.errors.too_many"  # allauth looks it up here
handler500 = "markets.web.pages.errors.server_error"

urlpatterns = [
    path("api/v1/", api.urls),
    path("admin", RedirectView.as_view(pattern_name="admin:index")),
    # Django would name the page of any draft to whoever may enter the admin
    path("admin/r/<path:row>", nothing_here),
    path("admin/", admin.site.urls),
    path("login", RedirectView.as_view(pattern_name="account_login", query_string=True)),
    path("signup", RedirectView.as_view(pattern_name="account_signup", query_string=True)),
    path("account/signup/", SignUp.as_view(), name="account_signup"),
    path("account/", include("allauth.urls")),
    path("", include("markets.urls")),
]
