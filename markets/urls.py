"""The pages, and what an operator's tools ask."""

from django.urls import path

from markets.web import operator
from markets.web.pages import calendar, crawlers, views

urlpatterns = [
    path("", views.home, name="home"),
    path("markets/<slug:slug>", views.market, name="market"),
    path("markets/<slug:slug>/object", views.object_to, name="object_to"),
    path("calendar.ics", calendar.feed, name="calendar"),
    path("robots.txt", crawlers.robots),
    path("favicon.ico", crawlers.favicon),
    path("healthz", operator.healthz),
    path("readyz", operator.readyz),
    path("metrics", operator.metrics),
]
