"""Markets: their list, their page with a button for each legal move, and their log."""

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.forms import Script
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import path
from django.utils import timezone
from django.utils.html import format_html
from django.utils.timezone import localtime
from unfold.contrib.filters.admin import (
    AutocompleteSelectMultipleFilter,
    ChoicesCheckboxFilter,
    RangeDateFilter,
)
from unfold.decorators import display

from markets.admin.base import ServiceAdmin, StaffRequest, amount
from markets.admin.bulk import bulk_action
from markets.admin.calendar import CalendarPage
from markets.admin.exporting import EXPORT_BUTTON, Exporting
from markets.admin.importing import ImportPage
from markets.admin.market_form import MarketForm, OutcomeFormSet, OutcomeInline, opened
from markets.admin.pages import opens
from markets.admin.settling import PAGES, STATUS_COLOURS, proposed
from markets.domain.amounts import MICRO, to_percent
from markets.domain.text import is_id
from markets.models import Market
from markets.selectors import settlement, timeline, workqueue
from markets.selectors.search import matching
from markets.services import catalogue, lifecycle
from markets.services.bulk import OPERATIONS
from markets.services.catalogue import MarketChanges

LIQUIDITY = amount("liquidity", "Liquidity")


_QUEUES = {
    "awaiting": "Awaiting resolution", "closing": "Closing within a day", "drafts": "Drafts"
}  # fmt: skip


class QueueFilter(admin.SimpleListFilter):
    """What waits for staff. The tabs above the list lead here."""

    title = "what waits"
    parameter_name = "queue"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return list(_QUEUES.items())

    def queryset(self, request: HttpRequest, queryset: QuerySet[Market]) -> QuerySet[Market]:
        if self.value() not in _QUEUES:
            return queryset
        waiting = workqueue.QUEUES[self.value() or ""](timezone.now()).order_by().values("pk")
        return queryset.filter(pk__in=waiting)


@admin.register(Market)
class MarketAdmin(Exporting, ServiceAdmin):
    form = MarketForm
    inlines = [OutcomeInline]
    view_on_site = False  # `page` leads there, for those who may see it
    list_display = [
        "name", "shown_status", "category", "prices", "closes", "traded", "updated_at",
    ]  # fmt: skip
    list_filter = [
        QueueFilter,
        ("status", ChoicesCheckboxFilter),
        ("category", AutocompleteSelectMultipleFilter),
        ("tags", AutocompleteSelectMultipleFilter),
        ("close_at", RangeDateFilter),
    ]
    list_filter_submit = True
    search_fields = ["name"]
    search_help_text = "Searches names, labels, tags and texts; forgives a typo."
    autocomplete_fields = ["category", "tags"]
    readonly_fields = [
        "shown_status", "slug", "seq", "created_by", "created_at", "updated_at", "page", LIQUIDITY,
    ]  # fmt: skip
    warn_unsaved_form = True
    change_form_outer_before_template = "admin/market_top.html"
    change_form_outer_after_template = "admin/market_log.html"
    actions = list(OPERATIONS)
    actions_list = ["import_markets", EXPORT_BUTTON]
    actions_detail = [f"{move}_page" for move in PAGES]

    class Media:
        js = (Script("markets/admin.js", type="module"),)

    schedule, open = bulk_action("schedule"), bulk_action("open")
    pause, close = bulk_action("pause"), bulk_action("close")
    move_closing = bulk_action("move_closing")
    set_category, add_tags = bulk_action("set_category"), bulk_action("add_tags")
    duplicate, cancel = bulk_action("duplicate"), bulk_action("cancel")

    import_markets = opens(ImportPage)
    schedule_page = opens(PAGES["schedule"])
    open_page = opens(PAGES["open"])
    pause_page = opens(PAGES["pause"])
    close_page = opens(PAGES["close"])
    resolve_page = opens(PAGES["resolve"])
    propose_page = opens(PAGES["propose"])
    approve_page = opens(PAGES["approve"])
    reject_page = opens(PAGES["reject"])
    unresolve_page = opens(PAGES["unresolve"])
    cancel_page = opens(PAGES["cancel"])

    def get_urls(self) -> list[Any]:
        guard = self.admin_site.admin_view
        month = guard(CalendarPage.as_view(model_admin=self))
        return [
            path("preview/", guard(self.preview), name="markets_market_preview"),
            path("calendar/", month, name="markets_market_calendar"),
            *super().get_urls(),
        ]

    def preview(self, request: HttpRequest) -> HttpResponse:
        """Return a text as viewers will see it."""
        if not (self.has_add_permission(request) or self.has_change_permission(request)):
            raise PermissionDenied
        return render(request, "admin/markdown.html", {"text": request.POST.get("text", "")})

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        """Return the moves that the person may make and the market's status allows."""
        rows = Market.objects.only("status")
        market = rows.filter(pk=object_id).first() if is_id(object_id) else None
        fitting = {f"{move}_page" for move, page in PAGES.items() if market and page.fits(market)}
        return [
            action
            for action in super().get_actions_detail(request, object_id)
            if action.action_name.removeprefix("markets_market_") in fitting
        ]

    def get_fieldsets(self, request: StaffRequest, obj: Market | None = None) -> Any:
        editing = obj is None or self.has_change_permission(request, obj)
        question: list[Any] = ["name", "description", "resolution_criteria"]
        if obj is None:
            question.append("once")
        elif editing:
            question += ["reason", "seen"] if obj.trade_count else ["seen"]
        fixed = opened(obj) or not editing
        trading = [LIQUIDITY if fixed else "liquidity", "open_at", "close_at"]
        fieldsets: list[Any] = [
            ("Question", {"fields": question}),
            ("Where it is found", {"fields": [("category", "tags"), "source_url"]}),
            (
                "Trading",
                {"fields": trading, "description": _FIXED if editing and opened(obj) else None},
            ),
        ]
        if obj:
            origin = ("created_by", "created_at", "updated_at")
            about = ["page", "slug", "seq", origin]
            fieldsets.append(("About this market", {"fields": about, "classes": ["collapse"]}))
        return fieldsets

    def get_ordering(self, request: HttpRequest) -> list[str]:
        """Return that of the list; what waits stands with the oldest first."""
        return ["close_at", "pk"] if request.GET.get("queue") in _QUEUES else ["-id"]

    def get_readonly_fields(self, request: HttpRequest, obj: Market | None = None) -> Any:
        fixed = ["open_at"] if opened(obj) else []
        if obj and obj.status == "closed":
            fixed.append("close_at")
        return [*self.readonly_fields, *fixed]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Market]:
        rows = Market.objects.select_related("category", "created_by").defer("search_vector")
        return rows.prefetch_related("outcomes", "resolutions__payouts__outcome")

    def get_search_results(
        self, request: HttpRequest, queryset: Any, search_term: str
    ) -> tuple[Any, bool]:
        return (matching(queryset, search_term) if search_term else queryset), False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False  # staff cancel markets instead: log and ledger stay

    def has_change_permission(self, request: HttpRequest, obj: Market | None = None) -> bool:
        """Return whether it can be edited: a settled market cannot, by anybody."""
        settled = obj is not None and obj.status not in lifecycle.UNSETTLED
        return not settled and super().has_change_permission(request, obj)

    def render_change_form(
        self, request: Any, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        market = context.get("original")
        if isinstance(market, Market):
            context["market"], context["prices"] = market, market.priced()
            context["status_colour"] = STATUS_COLOURS[market.status]
            context["resolution"] = market.standing_resolution()
            context["settled"] = market.status not in lifecycle.UNSETTLED
            if proposal := settlement.open_proposal(market):
                context["proposed"] = proposed(proposal, market, request.user)
            context["timeline"] = timeline.entries(market)
            context["trades"] = timeline.newest_trades(market)
            context["shown"] = timeline.SHOWN
        return super().render_change_form(request, context, *args, **kwargs)

    @display(description="Status", ordering="status", label=STATUS_COLOURS)
    def shown_status(self, market: Market) -> str:
        return market.status

    @admin.display(description="Traded", ordering="volume")
    def traded(self, market: Market) -> str:
        return f"{market.volume / MICRO:,.0f}"

    @admin.display(description="Leading outcome")
    def prices(self, market: Market) -> str:
        if resolution := market.standing_resolution():
            pays = (f"{p.outcome} {to_percent(p.weight)}" for p in resolution.payouts.all())
            return f"Came true: {', '.join(pays)}"
        outcome, price = market.leader()
        return format_html(
            '<progress max="100" value="{}" aria-label="{}: {}"></progress> {} {}',
            price / 10_000, outcome.label, to_percent(price), to_percent(price), outcome.label,
        )  # fmt: skip

    @admin.display(description="Closes", ordering="close_at")
    def closes(self, market: Market) -> str:
        if market.close_at is None:
            return "–"
        return format_html("<time>{}</time>", f"{localtime(market.close_at):%d %b %Y %H:%M %Z}")

    @admin.display(description="Page")
    def page(self, market: Market) -> str:
        if not market.pk:
            return "–"
        return format_html('<a href="{}">See it as viewers do</a>', market.get_absolute_url())

    def get_form(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        form = super().get_form(request, *args, **kwargs)
        form.saved_before = request.session.get(_SAVED, [])
        return form

    def save(self, request: StaffRequest, form: Any, formsets: Any, change: bool) -> Market:
        written: MarketChanges = form.written()
        for formset in formsets:
            if isinstance(formset, OutcomeFormSet) and formset.changed_by_person():
                written["outcomes"] = formset.drafts()
        now, actor = timezone.now(), request.user
        if not change:
            market = catalogue.add_market(actor=actor, now=now, **written)
            saved = [*form.saved_before, form.cleaned_data["once"]]
            request.session[_SAVED] = saved[-20:]  # those of *Back*
            return self._with_hint(request, market)
        return self._with_hint(
            request,
            catalogue.change_market(
                market_id=form.instance.pk,
                actor=actor,
                now=now,
                changes=written,
                expected_version=form.instance.version,  # as compared with what the person saw
                reason=form.cleaned_data.get("reason", ""),
            ),
        )

    @staticmethod
    def _with_hint(request: HttpRequest, market: Market) -> Market:
        past = market.close_at is not None and market.close_at <= timezone.now()
        if past and market.status in lifecycle.BEFORE_TRADING:
            messages.warning(request, "The closing time has passed: set a later one to open it.")
        return market


_SAVED = "saved market forms"  # in the session
_FIXED = "Liquidity, opening time and first probabilities are fixed since the market opened."
