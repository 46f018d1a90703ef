"""The pages, and what an operator's tools ask."""

from django.urls import path

from markets.web import operator
from markets.web.pages import (
    calendar,
    comments,
    crawlers,
    home,
    keys,
    market,
    portfolio,
    settings,
    trade,
)

urlpatterns = [
    path("", home.home, name="home"),
    path("markets/<slug:slug>", market.market, name="market"),
    path("markets/<slug:slug>/trade", trade.trade, name="trade"),
    path("markets/<slug:slug>/object", market.object_to, name="object_to"),
    path("markets/<slug:slug>/comment", comments.write, name="comment"),
    path("markets/<slug:slug>/comments/<int:comment_id>/edit", comments.edit, name="edit_comment"),
    path(
        "markets/<slug:slug>/comments/<int:comment_id>",
        comments.versions,
        name="comment_versions",
    ),
    path(
        "markets/<slug:slug>/comments/<int:comment_id>/report",
        comments.report,
        name="report_comment",
    ),
    path("portfolio", portfolio.portfolio, name="portfolio"),
    path("portfolio/statement", portfolio.statement, name="statement"),
    path("portfolio/statement.csv", portfolio.statement_csv, name="statement_csv"),
    path("settings", settings.settings, name="settings"),
    path("settings/keys", keys.keys, name="keys"),
    path("settings/keys/<int:key_id>/revoke", keys.revoke, name="revoke_key"),
    path("calendar.ics", calendar.feed, name="calendar"),
    path("robots.txt", crawlers.robots),
    path("favicon.ico", crawlers.favicon),
    path("healthz", operator.healthz),
    path("readyz", operator.readyz),
    path("metrics", operator.metrics),
]
