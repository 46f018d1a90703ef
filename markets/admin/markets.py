"""Markets, categories and tags: forms that call services, and actions for the status."""

from collections.abc import Callable
from decimal import Decimal
from functools import partial
from typing import Any, cast

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.forms.models import BaseInlineFormSet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html
from unfold.admin import TabularInline
from unfold.decorators import display
from unfold.forms import ActionForm
from unfold.widgets import UnfoldAdminDecimalFieldWidget as DecimalInput
from unfold.widgets import UnfoldAdminTextInputWidget as TextInput
from unfold.widgets import UnfoldAdminURLInputWidget as URLInput

from markets.admin.base import ServiceAdmin, ServiceForm, StaffRequest, amount, asks, beside
from markets.admin.events import EventInline
from markets.admin.exporting import EXPORT_BUTTON, Exporting
from markets.admin.importing import ImportPage
from markets.admin.pages import opens
from markets.domain.amounts import MICRO, to_percent
from markets.domain.errors import Invalid, Refused
from markets.domain.limits import REASON_LENGTH
from markets.domain.permissions import Permission
from markets.domain.text import OutcomeDraft
from markets.models import Category, Market, Outcome, Tag
from markets.selectors.search import matching
from markets.services import catalogue, lifecycle, resolution
from markets.services.catalogue import MarketChanges

STATUS_COLOURS = {
    "draft": "info", "scheduled": "warning", "active": "success", "paused": "warning",
    "closed": "info", "resolved": "primary", "cancelled": "danger",
}  # fmt: skip


def _micro(value: Decimal) -> int:
    return int(value * MICRO)


class MarketForm(ServiceForm):
    liquidity = forms.DecimalField(
        initial=100, min_value=1, max_digits=12, decimal_places=6, widget=DecimalInput,
        help_text="LMSR's b, in shares: the larger, the less a trade moves the price.",
    )  # fmt: skip
    source_url = forms.URLField(
        required=False, max_length=500, assume_scheme="https", widget=URLInput
    )
    version = forms.IntegerField(required=False, widget=forms.HiddenInput)
    reason = forms.CharField(
        required=False, max_length=REASON_LENGTH, label="Reason for a correction", widget=TextInput,
        help_text="People have traded on the labels and the criteria: say why they change. "
        "Everybody sees it.",
    )  # fmt: skip

    class Meta:
        model = Market
        fields = [
            "name", "description", "resolution_criteria", "category", "tags", "liquidity",
            "open_at", "close_at", "source_url",
        ]  # fmt: skip

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk:
            self.initial["liquidity"] = Decimal(self.instance.liquidity) / MICRO
            self.initial["version"] = self.instance.version

    def written(self) -> MarketChanges:
        """Return the values for the services: all of a new market, the changed ones of another."""
        convert: dict[str, Callable[[Any], Any]] = {
            "category": lambda category: category and category.slug,
            "tags": lambda tags: [tag.slug for tag in tags],
            "liquidity": _micro,
        }
        names = set(self.changed_data if self.instance.pk else self.cleaned_data)
        values = {name: self.cleaned_data[name] for name in names - {"version", "reason"}}
        for name in values.keys() & convert:
            values[name] = convert[name](values[name])
        for name in values.keys() & {"description", "resolution_criteria"}:
            values[name] = values[name].replace("\r\n", "\n")  # browsers send both
            if values[name] == getattr(self.instance, name).replace("\r\n", "\n"):
                values[name] = getattr(self.instance, name)
        return cast(MarketChanges, values)


class OutcomeForm(ServiceForm):
    probability = forms.DecimalField(
        required=False, min_value=0, max_value=1, decimal_places=6, widget=DecimalInput,
        help_text="Where the price starts, 0 to 1. Left empty: an equal share of the rest.",
    )  # fmt: skip

    class Meta:
        model = Outcome
        fields = ["label", "probability"]
        widgets = {"label": TextInput}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk:
            self.initial["probability"] = Decimal(self.instance.probability) / MICRO

    def draft(self) -> OutcomeDraft:
        label, start = self.cleaned_data["label"], self.cleaned_data["probability"]
        return OutcomeDraft(label, None if start is None else _micro(start))


class OutcomeFormSet(BaseInlineFormSet):
    def drafts(self) -> list[OutcomeDraft]:
        return [
            cast(OutcomeForm, form).draft()
            for form in self.forms
            if form.cleaned_data.get("label") and not form.cleaned_data.get("DELETE")
        ]


PRIOR = amount("probability", "Probability at the start")


class OutcomeInline(TabularInline):
    model = Outcome
    form = OutcomeForm
    formset = OutcomeFormSet
    readonly_fields = ["price", PRIOR]
    extra = 0
    max_num = 20

    def get_extra(self, request: HttpRequest, obj: Market | None = None, **kwargs: Any) -> int:
        return 0 if obj else 2

    def get_fields(self, request: HttpRequest, obj: Market | None = None) -> list[Any]:
        editing = self.has_change_permission(request, obj)
        return ["label", "probability" if editing else PRIOR, "price"]

    @admin.display(description="Price now")
    def price(self, outcome: Outcome) -> str:
        if not outcome.pk:
            return "–"
        return to_percent(dict(outcome.market.priced())[outcome])


class MarketActionForm(ActionForm):
    """The list of actions with inputs for "Resolve" and "Cancel"."""

    outcome = forms.CharField(required=False, label="", widget=beside("Outcome", "resolve"))
    note = forms.CharField(required=False, label="", widget=beside("Note", "resolve", "cancel"))


Service = Callable[..., Market]


def _action(description: str, permission: str, service: Service, done: str) -> Callable[..., None]:
    """Return an action that runs the service for each chosen market."""

    @admin.action(description=description, permissions=[permission])
    def act(markets: "MarketAdmin", request: StaffRequest, queryset: QuerySet[Market]) -> None:
        markets.run_for_each(request, queryset, service, done)

    return act


LIQUIDITY = amount("liquidity", "Liquidity")


@admin.register(Market)
class MarketAdmin(Exporting, ServiceAdmin):
    form = MarketForm
    inlines = [OutcomeInline, EventInline]
    view_on_site = False  # `page` leads there, for those who may see it
    list_display = [
        "name", "shown_status", "category", "prices", "close_at", "traded", "updated_at",
    ]  # fmt: skip
    list_filter = ["status", "category", "tags"]
    search_fields = ["name"]
    search_help_text = "Searches names, labels, tags and texts; forgives a typo."
    ordering = ["-id"]
    autocomplete_fields = ["category", "tags"]
    readonly_fields = [
        "shown_status", "slug", "seq", "created_by", "created_at", "updated_at", "page", LIQUIDITY,
    ]  # fmt: skip
    action_form = MarketActionForm
    actions = ["schedule", "open", "pause", "close", "resolve", "unresolve", "cancel"]
    actions_list = ["import_markets", EXPORT_BUTTON]
    import_markets = opens(ImportPage)
    has_operate_permission = asks(Permission.OPERATE_MARKET)
    has_resolve_permission = asks(Permission.RESOLVE_MARKET)

    def get_fieldsets(self, request: StaffRequest, obj: Market | None = None) -> Any:
        editing = obj is None or self.has_change_permission(request, obj)
        texts: list[Any] = ["name", "description", "resolution_criteria", ("category", "tags")]
        if editing:
            texts += ["version", "reason"] if obj and obj.trade_count else ["version"]
        trading = ["liquidity" if editing else LIQUIDITY, "open_at", "close_at"]
        origin = ("created_by", "created_at", "updated_at")
        about = ["shown_status", "page", "source_url", "slug", "seq", origin]
        return [
            (None, {"fields": texts}),
            ("Trading", {"fields": trading}),
            ("About this market", {"fields": about}),
        ]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Market]:
        rows = Market.objects.select_related("category").prefetch_related("outcomes")
        return rows.defer("search_vector")

    def get_search_results(
        self, request: HttpRequest, queryset: Any, search_term: str
    ) -> tuple[Any, bool]:
        return (matching(queryset, search_term) if search_term else queryset), False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False  # staff cancel markets instead: log and ledger stay

    @display(description="Status", ordering="status", label=STATUS_COLOURS)
    def shown_status(self, market: Market) -> str:
        return market.status

    @admin.display(description="Traded", ordering="volume")
    def traded(self, market: Market) -> str:
        return f"{market.volume / MICRO:,.0f}"

    @admin.display(description="Prices")
    def prices(self, market: Market) -> str:
        priced = market.priced()[:3]
        return " · ".join(f"{outcome.label} {to_percent(price)}" for outcome, price in priced)

    @admin.display(description="Page")
    def page(self, market: Market) -> str:
        if not market.pk:
            return "–"
        return format_html('<a href="{}">See it as viewers do</a>', market.get_absolute_url())

    def save(self, request: StaffRequest, form: Any, formsets: Any, change: bool) -> Market:
        written: MarketChanges = form.written()
        for formset in formsets:
            if isinstance(formset, OutcomeFormSet) and (drafts := formset.drafts()):
                written["outcomes"] = drafts
        now, actor = timezone.now(), request.user
        if not change:
            return catalogue.add_market(actor=actor, now=now, **written)
        return catalogue.change_market(
            market_id=form.instance.pk,
            actor=actor,
            now=now,
            changes=written,
            expected_version=form.cleaned_data["version"] or 0,  # a form without one is refused
            reason=form.cleaned_data.get("reason", ""),
        )

    def run_for_each(
        self, request: StaffRequest, queryset: QuerySet[Market], service: Service, done: str
    ) -> None:
        """Run a service for each chosen market and show the results."""
        successes = 0
        for market in queryset:
            try:
                service(market_id=market.pk, actor=request.user, now=timezone.now())
            except Refused as refusal:
                messages.error(request, f"{market.name}: {refusal}")
            else:
                self.log_change(request, market, f"{done.capitalize()}.")
                successes += 1
        if successes:
            messages.success(request, f"{successes} market(s) {done}.")

    schedule = _action("Schedule", "operate", lifecycle.schedule_market, "scheduled")
    open = _action("Open", "operate", lifecycle.open_market, "opened")
    pause = _action("Pause", "operate", lifecycle.pause_market, "paused")
    close = _action("Close", "operate", lifecycle.close_market, "closed")
    unresolve = _action(
        "Unresolve (take the payouts back)", "resolve", resolution.unresolve_market, "unresolved"
    )

    @admin.action(description="Resolve to an outcome", permissions=["resolve"])
    def resolve(self, request: StaffRequest, queryset: QuerySet[Market]) -> None:
        label, note = request.POST.get("outcome", "").strip(), request.POST.get("note", "")

        def settle(*, market_id: int, **who: Any) -> Market:
            winner = Outcome.objects.filter(market_id=market_id, label__iexact=label).first()
            if winner is None:
                why = f"It has no outcome {label!r}: write the label of the one that came true."
                raise Invalid(outcome=why)
            weights = {winner.pk: MICRO}
            return resolution.resolve_market(market_id=market_id, weights=weights, note=note, **who)

        self.run_for_each(request, queryset, settle, "resolved")

    @admin.action(description="Cancel (refund what was paid)", permissions=["resolve"])
    def cancel(self, request: StaffRequest, queryset: QuerySet[Market]) -> None:
        service = partial(resolution.cancel_market, note=request.POST.get("note", ""))
        self.run_for_each(request, queryset, service, "cancelled")


class ShelfAdmin(ServiceAdmin):
    """Categories or tags. The slug is set once; a shelf with markets cannot be deleted."""

    form = ServiceForm
    list_display = ["name", "slug"]
    search_fields = ["name"]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return ["slug"] if obj else []

    def get_prepopulated_fields(self, request: HttpRequest, obj: Any = None) -> dict[str, Any]:
        return {} if obj else {"slug": ["name"]}

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_delete_permission(request, obj) and not (obj and obj.markets.exists())

    def save(self, request: StaffRequest, form: Any, formsets: Any, change: bool) -> Category | Tag:
        written = form.cleaned_data
        if change:
            return catalogue.rename_shelf(shelf=form.instance, name=written["name"])
        return catalogue.add_shelf(kind=self.model, name=written["name"], slug=written["slug"])


admin.site.register(Category, ShelfAdmin)
admin.site.register(Tag, ShelfAdmin)
