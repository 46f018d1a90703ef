"""The sidebar and the command palette. What somebody may not see is not there."""

from typing import Final, NamedTuple
from urllib.parse import urlencode

from django.apps import apps
from django.conf import settings
from django.contrib import admin
from django.contrib.auth import get_user_model
from django.db.models import F, Model
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.text import capfirst
from unfold.dataclasses import SearchResult

from markets.models import Account, Market
from markets.selectors import names, workqueue
from markets.selectors.search import ranked

MOST_RESULTS: Final = 10  # of each kind
SHORTEST: Final = 2  # characters that are looked for
# A title is HTML for Unfold. The icon is a word of a font, which nobody shall be read aloud.
_TITLE: Final = (
    '<span class="align-middle material-symbols-outlined md-18 mr-3 w-[18px]" aria-hidden="true">'
    '{}</span><span class="align-middle">{}</span>'
)


class Entry(NamedTuple):
    """The list of a model, all of it or what waits in a queue."""

    icon: str
    model: str
    title: str = ""  # else the model's name
    query: str = ""
    queue: str = ""  # its length is shown beside the title
    badge: str = "warning"

    @property
    def of(self) -> type[Model]:
        return apps.get_model(self.model)

    @property
    def text(self) -> str:
        return self.title or capfirst(str(self.of._meta.verbose_name_plural))

    @property
    def address(self) -> str:
        return list_of(self.of) + (f"?{self.query}" if self.query else "")


AWAITING: Final = urlencode({"queue": "awaiting"})
REPORTED: Final = urlencode({"queue": "reported"})
GROUPS: Final[dict[str, tuple[Entry, ...]]] = {
    "Questions": (
        Entry("gavel", "markets.Market", "Awaiting resolution", AWAITING, "awaiting"),
        Entry("help", "markets.Market"),
        Entry("category", "markets.Category"),
        Entry("sell", "markets.Tag"),
        Entry("task_alt", "markets.Resolution"),
        Entry("chat", "markets.Comment", "Reported comments", REPORTED, "reported"),
        Entry("forum", "markets.Comment"),
    ),
    "People": (
        Entry("person", settings.AUTH_USER_MODEL),
        Entry("groups", "auth.Group"),
        Entry("mail", "markets.Invitation"),
        Entry("key", "markets.ApiKey"),
        Entry("notifications", "markets.Notification"),
        Entry("bookmark", "markets.CategoryFollow"),
    ),
    "Money": (
        Entry("account_balance_wallet", "markets.Account"),
        Entry("swap_horiz", "markets.Trade"),
        Entry("pie_chart", "markets.Position"),
        Entry("menu_book", "markets.JournalEntry"),
        Entry("fact_check", "markets.AuditRun"),
    ),
    "Operations": (
        Entry("checklist", "markets.Job", queue="failed_operations", badge="danger"),
        Entry("description", "markets.Report", queue="failed_reports", badge="danger"),
        Entry("history", "markets.Event"),
    ),
}


def list_of(model: type[Model]) -> str:
    """Return the address of the model's list."""
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")


def row_of(row: Model) -> str:
    """Return the address of the row's page."""
    meta = row._meta
    return reverse(f"admin:{meta.app_label}_{meta.model_name}_change", args=[row.pk])


def sees(request: HttpRequest, model: type[Model]) -> bool:
    """Return whether the person may open the model's list."""
    known = admin.site.is_registered(model)
    return known and admin.site.get_model_admin(model).has_view_permission(request)


def shown_count(count: int) -> str:
    most = workqueue.MOST_COUNTED
    return f"{count:,}" if count <= most else f"{most:,}+"


def visible(request: HttpRequest) -> dict[str, list[Entry]]:
    """Return the entries that the person may see; a group without any is left out."""
    found = {
        title: [entry for entry in entries if sees(request, entry.of)]
        for title, entries in GROUPS.items()
    }
    return {title: entries for title, entries in found.items() if entries}


def sidebar(request: HttpRequest) -> list[dict[str, object]]:
    """Return the groups as Unfold shows them (`SIDEBAR` in the settings)."""
    groups, home = visible(request), reverse("admin:index")
    queues = [entry.queue for entries in groups.values() for entry in entries if entry.queue]
    waiting = workqueue.counts(queues, timezone.now())

    def item(entry: Entry) -> dict[str, object]:
        count = waiting.get(entry.queue, 0)
        return {
            "title": format_html(_TITLE, entry.icon, entry.text),
            "link": entry.address,
            "active": _is_open(request, entry),
            "badge": shown_count(count) if count else "",
            "badge_variant": entry.badge,
        }

    at_home = {
        "title": format_html(_TITLE, "home", "Home"),
        "link": home,
        "active": request.path == home,
    }
    shown: list[dict[str, object]] = [{"items": [at_home]}]
    for name, entries in groups.items():
        shown.append({"title": name, "items": [item(entry) for entry in entries]})
    return shown


def tabs(_request: HttpRequest) -> list[dict[str, object]]:
    """Return the tabs above the list of markets (`TABS` in the settings)."""
    markets = list_of(Market)

    def item(title: str, address: str) -> dict[str, object]:
        # a function, lest Unfold take the sidebar's entry of the same address for open
        return {"title": title, "link": lambda _request: address}

    items = [
        item("All", markets),
        item("Awaiting resolution", f"{markets}?queue=awaiting"),
        item("Closing soon", f"{markets}?queue=closing"),
        item("Drafts", f"{markets}?queue=drafts"),
        item("Calendar", reverse("admin:markets_market_calendar")),
    ]
    return [{"models": ["markets.market"], "items": items}]


def _is_open(request: HttpRequest, entry: Entry) -> bool:
    """Return whether the page is the entry's list, or the page of a row that no queue is for."""
    if not request.path.startswith(list_of(entry.of)):
        return False
    queries = {e.query for entries in GROUPS.values() for e in entries if e.model == entry.model}
    asked = request.META.get("QUERY_STRING", "")
    return entry.query == (asked if asked in queries else "")


def search(request: HttpRequest, text: str) -> list[SearchResult]:
    """Return what the palette adds to the names of the models that Unfold finds by itself."""
    typed = request.GET.get("s", text).strip()  # Unfold gives it in small letters
    if len(typed) < SHORTEST:
        return []
    found = [*_markets(request, typed), *_traders(request, typed)]
    return [*_pages(request, text), *found]


def _pages(request: HttpRequest, text: str) -> list[SearchResult]:
    """Return the entries with a title of their own; Unfold finds models by their names."""
    return [
        SearchResult(entry.text, group, entry.address, entry.icon)
        for group, entries in visible(request).items()
        for entry in entries
        if entry.title and text in entry.title.lower()
    ]


def _markets(request: HttpRequest, text: str) -> list[SearchResult]:
    if not sees(request, Market):
        return []
    found = ranked(Market.objects.only("pk", "name", "status"), text).order_by(F("score").desc())
    return [
        SearchResult(market.name, f"Market, {market.status}", row_of(market), "help")
        for market in found[:MOST_RESULTS]
    ]


def _traders(request: HttpRequest, text: str) -> list[SearchResult]:
    """Return traders by the beginning of their name, in the ways that an index can look it up."""
    if not sees(request, get_user_model()):
        return []
    named = Account.objects.filter(names.begins("user__username", text))
    found = named.select_related("user").order_by("user__username")
    return [
        SearchResult(account.user.get_username(), "Trader", row_of(account.user), "person")
        for account in found[:MOST_RESULTS]
        if account.user
    ]
