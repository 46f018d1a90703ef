"""The nouns. Every row that matters is written by a service; the database refuses what must not be."""

from markets.models.apikey import ApiKey, Scope
from markets.models.event import Event
from markets.models.market import Category, Market, Outcome, Status, Tag
from markets.models.notification import CategoryFollow, Notification
from markets.models.report import Report
from markets.models.resolution import Payout, Resolution

__all__ = [
    "ApiKey",
    "Category",
    "CategoryFollow",
    "Event",
    "Market",
    "Notification",
    "Outcome",
    "Payout",
    "Report",
    "Resolution",
    "Scope",
    "Status",
    "Tag",
]
