"""What the page of a person shows: figures on top, and a tab for each kind of what they did."""

from typing import Any

from django.contrib import admin
from django.db.models import F, Model, OuterRef, Q, QuerySet, Subquery
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils.html import format_html
from unfold.paginator import InfinitePaginator
from unfold.views import ChangeList

from markets.admin.base import ReadOnlyAdmin, amount
from markets.admin.keys import ApiKeyAdmin
from markets.domain.amounts import to_text
from markets.models import Account, ApiKey, Market, Notification, Position, Posting, Trade
from markets.selectors import portfolio

LINK = "text-primary-600 dark:text-primary-400"
MOST_SEARCHED = 2_000  # rows of one person


def light(rows: QuerySet[Any], market: str) -> QuerySet[Any]:
    """Return the rows with their markets, without the markets' long texts."""
    long = ("search_vector", "description", "resolution_criteria")
    return rows.select_related(market).defer(*(f"{market}__{field}" for field in long))


def sees(request: HttpRequest, model: type[Model]) -> bool:
    """Return whether the caller may view rows of the model in the admin."""
    meta = model._meta
    names = (f"{meta.app_label}.{verb}_{meta.model_name}" for verb in ("view", "change"))
    return any(map(request.user.has_perm, names))


class TabList(ChangeList):
    def url_for_result(self, result: Model) -> str:
        """Return where the first column leads. Raise NoReverseMatch: then it is no link."""
        row = self.model_admin.behind(result)
        if not sees(self.model_admin.request, type(row)):
            raise NoReverseMatch
        return reverse(f"admin:markets_{row._meta.model_name}_change", args=[row.pk])


class PersonTab(ReadOnlyAdmin):
    """A list of rows of one person, newest first. An instance serves one request."""

    rows_of: type[Model]
    slug: str
    title: str
    first = "-id"
    searched: tuple[str, ...] = ()
    paginator = InfinitePaginator
    change_list_template = "admin/people/tab.html"
    empty_value_display = "–"
    list_filter: Any = ()
    list_disable_select_all = True
    sortable_by = ()
    search_help_text = f"Searches the first {MOST_SEARCHED:,} rows"

    def __init__(self, person: Any) -> None:
        super().__init__(self.rows_of, admin.site)
        self.person = person

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return TabList

    def behind(self, row: Any) -> Model:
        """Return the row whose page the first column leads to."""
        return row

    def get_search_fields(self, request: HttpRequest) -> Any:
        return self.searched

    def get_ordering(self, request: HttpRequest) -> list[str]:
        return [self.first]

    def get_search_results(self, request: HttpRequest, rows: Any, term: str) -> tuple[Any, bool]:
        if term:
            found = Q()
            for field in self.searched:
                found |= Q(**{f"{field}__icontains": term})
            rows = rows.filter(found, pk__in=rows.order_by(self.first).values("pk")[:MOST_SEARCHED])
        return rows, False

    def link(self, market: Market | None) -> str:
        """Return the market's name, as a link for those who may view it."""
        if market is None or not sees(self.request, Market):
            return str(market or "–")
        address = reverse("admin:markets_market_change", args=[market.pk])
        return format_html('<a href="{}" class="{}">{}</a>', address, LINK, market.name)


class StatementTab(PersonTab):
    rows_of, slug, title = Posting, "statement", "Statement"
    searched = ("entry__market__name", "entry__note", "entry__kind", "entry__actor__username")
    list_display = ["at", "kind", "on", "moved", amount("balance", "Balance after"), "by", "why"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Posting]:
        if self.person.account_id is None:
            return Posting.objects.none()
        rows = Posting.objects.filter(account_id=self.person.account_id)
        return light(rows, "entry__market").select_related("entry__actor")

    def behind(self, row: Posting) -> Model:
        return row.entry

    @admin.display(description="When")
    def at(self, posting: Posting) -> Any:
        return posting.entry.at

    @admin.display(description="Kind")
    def kind(self, posting: Posting) -> str:
        return posting.entry.kind

    @admin.display(description="Market")
    def on(self, posting: Posting) -> str:
        return self.link(posting.entry.market)

    @admin.display(description="Credits")
    def moved(self, posting: Posting) -> str:
        return f"{'+' if posting.amount > 0 else ''}{to_text(posting.amount)}"

    @admin.display(description="Who did it")
    def by(self, posting: Posting) -> str:
        return str(posting.entry.actor or "–")

    @admin.display(description="Why")
    def why(self, posting: Posting) -> str:
        return posting.entry.note or "–"


class PositionsTab(PersonTab):
    """The largest first; those that were sold stand at the end."""

    rows_of, slug, title = Position, "positions", "Positions"
    first = "-shares"
    searched = ("market__name", "outcome__label")
    list_display = [
        "outcome", "on", amount("shares", "Shares"), amount("cost_basis", "Cost of the shares"),
        amount("realised", "Profit taken"), amount("net_cost", "Paid in"),
        amount("payout", "Paid out"),
    ]  # fmt: skip

    def get_queryset(self, request: HttpRequest) -> QuerySet[Position]:
        held = Position.objects.filter(trader_id=self.person.pk)
        return light(held, "market").select_related("outcome")

    @admin.display(description="Market")
    def on(self, position: Position) -> str:
        return self.link(position.market)


class TradesTab(PersonTab):
    """The order is that of the account's postings, whose index makes one for traders needless."""

    rows_of, slug, title = Trade, "trades", "Trades"
    first = "-entry__postings__id"
    searched = ("market__name", "outcome__label", "side", "client_order_id")
    list_display = [
        "at", "on", "outcome", "side", amount("shares", "Shares"), amount("cost", "Credits"),
        amount("price_before", "Price before"), amount("price_after", "Price after"),
    ]  # fmt: skip

    def get_queryset(self, request: HttpRequest) -> QuerySet[Trade]:
        if self.person.account_id is None:
            return Trade.objects.none()
        rows = Trade.objects.filter(entry__postings__account_id=self.person.account_id)
        return light(rows, "market").select_related("outcome")

    @admin.display(description="Market")
    def on(self, trade: Trade) -> str:
        return self.link(trade.market)


class KeysTab(PersonTab, ApiKeyAdmin):
    rows_of, slug, title = ApiKey, "keys", "API keys"
    searched = ("name", "prefix")
    list_display = [
        "__str__", "scopes", "created_at", "expires_at", "last_used_at", "revoked_at",
    ]  # fmt: skip

    def get_queryset(self, request: HttpRequest) -> QuerySet[ApiKey]:
        return ApiKey.objects.filter(user_id=self.person.pk)


class NotificationsTab(PersonTab):
    rows_of, slug, title = Notification, "notifications", "Notifications"
    searched = ("text",)
    list_display = ["created_at", "text", "read_at", "email_due"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Notification]:
        return Notification.objects.filter(user_id=self.person.pk)


TABS: tuple[type[PersonTab], ...] = (
    StatementTab, PositionsTab, TradesTab, KeysTab, NotificationsTab,
)  # fmt: skip


def with_accounts(users: QuerySet[Any]) -> QuerySet[Any]:
    """Return the users with `account_id`, `balance` and `last_trade`, each None without one."""
    trades = Posting.objects.filter(account_id=OuterRef("account__pk"), entry__kind="trade")
    return users.annotate(
        account_id=F("account__pk"),
        balance=F("account__balance"),
        last_trade=Subquery(trades.order_by("-id").values("entry__at")[:1]),
    )


def state_of(person: Any) -> str:
    return "active" if person.is_active else "suspended"


def role_of(person: Any) -> str:
    return "superuser" if person.is_superuser else "staff" if person.is_staff else "–"


def figures(request: HttpRequest, person: Any) -> list[tuple[str, str]]:
    """Return what stands on top of the person's page, as the caller may see it."""
    shown = []
    if sees(request, Account):
        balance = "Has not traded yet" if person.balance is None else to_text(person.balance)
        shown.append(("Balance in credits", balance))
    if sees(request, Position):
        totals = portfolio.totals(person)
        shown.append(("Credits in open positions", to_text(totals.invested)))
        shown.append(("Profit so far", to_text(totals.profit)))
    return shown


def about(request: HttpRequest, person: Any, shown: str) -> dict[str, Any]:
    """Return the context that every tab of the person's page has. `shown` is the tab's slug."""
    pages = [("change", "Overview", type(person))]
    pages += [(tab.slug, tab.title, tab.rows_of) for tab in TABS]
    pages.append(("history", "History", type(person)))
    items = [
        {
            "title": title,
            "link": reverse(f"admin:auth_user_{slug}", args=[person.pk]),
            "has_permission": sees(request, model),
            "active": slug == shown,
        }
        for slug, title, model in pages
    ]
    return {
        "person": person,
        "state": state_of(person),
        "role": role_of(person),
        "figures": figures(request, person),
        "person_tabs": items,
    }
