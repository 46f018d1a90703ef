"""The tables. Services write the rows; constraints of the database refuse invalid ones."""

from markets.models.apikey import ApiKey, Scope
from markets.models.comment import Comment, CommentReport, CommentVersion
from markets.models.event import Event, FeedCursor
from markets.models.invitation import Invitation
from markets.models.job import Job
from markets.models.ledger import Account, AuditRun, JournalEntry, Posting
from markets.models.market import Category, Market, Outcome, Status, Tag, Word
from markets.models.notification import CategoryFollow, Notification
from markets.models.report import Report
from markets.models.resolution import Objection, Payout, Proposal, Resolution
from markets.models.trade import Candle, DayTotal, DayTrader, Position, Side, Trade

__all__ = [
    "Account",
    "ApiKey",
    "AuditRun",
    "Candle",
    "Category",
    "CategoryFollow",
    "Comment",
    "CommentReport",
    "CommentVersion",
    "DayTotal",
    "DayTrader",
    "Event",
    "FeedCursor",
    "Invitation",
    "Job",
    "JournalEntry",
    "Market",
    "Notification",
    "Objection",
    "Outcome",
    "Payout",
    "Position",
    "Posting",
    "Proposal",
    "Report",
    "Resolution",
    "Scope",
    "Side",
    "Status",
    "Tag",
    "Trade",
    "Word",
]
