"""Pages, and what an operator's tools ask for."""

from django.urls import path

from markets import service, views

urlpatterns = [
    path("", views.home, name="home"),
    path("markets/<slug:slug>", views.market, name="market"),
    path("healthz", service.healthz),
    path("readyz", service.readyz),
    path("metrics", service.metrics),
]
