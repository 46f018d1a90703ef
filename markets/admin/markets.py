"""Markets by hand: a form that calls the services, and actions for their life."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any, cast

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import ActionForm
from django.contrib.auth.base_user import AbstractBaseUser
from django.db.models import QuerySet
from django.forms.models import BaseInlineFormSet
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.html import format_html
from unfold.admin import ModelAdmin, TabularInline
from unfold.decorators import display
from unfold.widgets import UnfoldAdminDecimalFieldWidget, UnfoldAdminTextInputWidget, UnfoldAdminURLInputWidget

from markets.admin.events import EventInline
from markets.amounts import MICRO
from markets.errors import Invalid, Refused
from markets.models import Category, Market, Outcome, Tag
from markets.selectors.search import matching
from markets.services import catalogue, lifecycle, resolution
from markets.services.wording import OutcomeDraft
from markets.templatetags.market_text import percent

STATUS_COLOURS = {
    "draft": "info", "scheduled": "warning", "active": "success", "paused": "warning", "closed": "info",
    "resolved": "primary", "cancelled": "danger",
}  # fmt: skip


def _micro(value: Decimal) -> int:
    return int(value * MICRO)


class MarketForm(forms.ModelForm):
    """A market as staff write it. What the services refused last time (`refused`) stands at the field it is about."""

    refused: Refused | None = None

    liquidity = forms.DecimalField(
        initial=100, min_value=1, max_digits=12, decimal_places=6, widget=UnfoldAdminDecimalFieldWidget,
        help_text="LMSR's b, in shares: the larger, the less a trade moves the price.",
    )  # fmt: skip
    source_url = forms.URLField(required=False, max_length=500, assume_scheme="https", widget=UnfoldAdminURLInputWidget)
    version = forms.IntegerField(required=False, widget=forms.HiddenInput)

    class Meta:
        model = Market
        fields = [
            "name", "description", "resolution_criteria", "category", "tags", "liquidity", "open_at", "close_at", "source_url"
        ]  # fmt: skip

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk:
            self.initial["liquidity"] = Decimal(self.instance.liquidity) / MICRO
            self.initial["version"] = self.instance.version

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if isinstance(self.refused, Invalid):
            for field, message in self.refused.fields.items():
                self.add_error(field if field in self.fields else None, message)
        elif self.refused is not None:
            self.add_error(None, str(self.refused))
        return cleaned

    def facts(self) -> dict[str, Any]:
        """What the form says (of a market that exists: what it changes), as the services want it."""
        plain: dict[str, Callable[[Any], Any]] = {
            "category": lambda category: category and category.slug,
            "tags": lambda tags: [tag.slug for tag in tags],
            "liquidity": _micro,
        }
        said = set(self.changed_data if self.instance.pk else self.cleaned_data) - {"version"}
        return {name: plain.get(name, lambda value: value)(self.cleaned_data[name]) for name in said}

    def _post_clean(self) -> None:
        """Leave the instance alone: the services set it, and the database's constraints are theirs to keep."""


class OutcomeForm(forms.ModelForm):
    probability = forms.DecimalField(
        required=False, min_value=0, max_value=1, decimal_places=6, widget=UnfoldAdminDecimalFieldWidget,
        help_text="Where the price starts, 0 to 1. Left empty: an equal share of the rest.",
    )  # fmt: skip

    class Meta:
        model = Outcome
        fields = ["label", "probability"]
        widgets = {"label": UnfoldAdminTextInputWidget}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk:
            self.initial["probability"] = Decimal(self.instance.probability) / MICRO

    def draft(self) -> OutcomeDraft:
        probability = self.cleaned_data["probability"]
        return OutcomeDraft(self.cleaned_data["label"], None if probability is None else _micro(probability))

    def _post_clean(self) -> None:
        """As in MarketForm."""


class OutcomeFormSet(BaseInlineFormSet):
    def drafts(self) -> list[OutcomeDraft]:
        kept = [form for form in self.forms if form.cleaned_data.get("label") and not form.cleaned_data.get("DELETE")]
        return [cast(OutcomeForm, form).draft() for form in kept]


class OutcomeInline(TabularInline):
    model = Outcome
    form = OutcomeForm
    formset = OutcomeFormSet
    fields = ["label", "probability", "price"]
    readonly_fields = ["price"]
    extra = 0
    max_num = 20

    def get_extra(self, request: HttpRequest, obj: Market | None = None, **kwargs: Any) -> int:
        return 0 if obj else 2

    @admin.display(description="Price now")
    def price(self, outcome: Outcome) -> str:
        if not outcome.pk:
            return "–"
        return next(percent(price) for other, price in outcome.market.priced() if other.pk == outcome.pk)


class ResolveForm(ActionForm):
    """What goes with the action "Resolve"."""

    outcome = forms.CharField(required=False, max_length=120, label="Outcome")
    note = forms.CharField(required=False, max_length=500, label="Note")


@admin.register(Market)
class MarketAdmin(ModelAdmin):
    form = MarketForm
    inlines = [OutcomeInline, EventInline]
    list_display = ["name", "shown_status", "category", "prices", "close_at", "volume_text", "updated_at"]
    list_filter = ["status", "category", "tags"]
    list_per_page = 50
    show_full_result_count = False
    search_fields = ["name"]
    search_help_text = "Searches names, labels, tags and texts; forgives a typo."
    ordering = ["-id"]
    autocomplete_fields = ["category", "tags"]
    readonly_fields = ["shown_status", "slug", "seq", "created_by", "created_at", "updated_at", "page"]
    fieldsets = [
        (None, {"fields": ["name", "description", "resolution_criteria", ("category", "tags"), "version"]}),
        ("Trading", {"fields": ["liquidity", "open_at", "close_at"]}),
        ("About this market", {
            "fields": ["shown_status", "page", "source_url", "slug", "seq", ("created_by", "created_at", "updated_at")]
        }),
    ]  # fmt: skip
    action_form = ResolveForm
    actions = ["schedule", "open", "pause", "close", "resolve", "unresolve", "cancel"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Market]:
        return Market.objects.select_related("category").prefetch_related("outcomes").defer("search_vector")

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> tuple[Any, bool]:
        return (matching(queryset, search_term) if search_term else queryset), False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False  # a market is cancelled, never deleted: its log and its money stay

    @display(description="Status", ordering="status", label=STATUS_COLOURS)
    def shown_status(self, market: Market) -> str:
        return market.status

    @admin.display(description="Prices")
    def prices(self, market: Market) -> str:
        return " · ".join(f"{outcome.label} {percent(price)}" for outcome, price in market.priced()[:3])

    @admin.display(description="Traded", ordering="volume")
    def volume_text(self, market: Market) -> str:
        return f"{market.volume / MICRO:,.0f}"

    @admin.display(description="Page")
    def page(self, market: Market) -> str:
        if not market.pk:
            return "–"
        return format_html('<a href="{}">See it as viewers do</a>', market.get_absolute_url())

    # --- saving: through the services -----------------------------------------------------------------------------

    def changeform_view(
        self, request: HttpRequest, object_id: str | None = None, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """Django's view, outside the transaction it opens (services own theirs).

        A refusal shows in the form, with everything that was typed.
        """
        try:
            return self._changeform_view(request, object_id, form_url, extra_context)
        except Refused as error:
            request.refused = error  # type: ignore[attr-defined]
            return self._changeform_view(request, object_id, form_url, extra_context)

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        form = super().get_form(request, obj, change=change, **kwargs)
        form.refused = getattr(request, "refused", None)
        return form

    def save_form(self, request: HttpRequest, form: Any, change: bool) -> Market:
        return form.instance

    def save_model(self, request: HttpRequest, obj: Market, form: Any, change: bool) -> None:
        """Nothing yet: the outcomes belong to the same call of the service."""

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        facts: dict[str, Any] = form.facts()
        if drafts := formsets[0].drafts():
            facts["outcomes"] = drafts
        now, actor = timezone.now(), cast(AbstractBaseUser, request.user)
        if change:
            version = form.cleaned_data["version"]
            saved = catalogue.edit_market(
                market_id=form.instance.pk, actor=actor, now=now, changes=facts, expected_version=version
            )
        else:
            saved = catalogue.create_market(actor=actor, now=now, **facts)
        form.instance.pk, form.instance.name = saved.pk, saved.name
        form.save_m2m = lambda: None
        for formset in formsets:
            formset.new_objects = formset.changed_objects = formset.deleted_objects = []

    # --- actions --------------------------------------------------------------------------------------------------

    def _each(self, request: HttpRequest, queryset: QuerySet[Market], service: Callable[..., Market], done: str) -> None:
        """Call a service for every chosen market, and say how each went."""
        moved = 0
        for market in queryset:
            try:
                service(market_id=market.pk, actor=request.user, now=timezone.now())
            except Refused as error:
                messages.error(request, f"{market.name}: {error}")
            else:
                self.log_change(request, market, f"{done.capitalize()}.")
                moved += 1
        if moved:
            messages.success(request, f"{moved} market(s) {done}.")

    @admin.action(description="Schedule")
    def schedule(self, request: HttpRequest, queryset: QuerySet[Market]) -> None:
        self._each(request, queryset, lifecycle.schedule_market, "scheduled")

    @admin.action(description="Open")
    def open(self, request: HttpRequest, queryset: QuerySet[Market]) -> None:
        self._each(request, queryset, lifecycle.open_market, "opened")

    @admin.action(description="Pause")
    def pause(self, request: HttpRequest, queryset: QuerySet[Market]) -> None:
        self._each(request, queryset, lifecycle.pause_market, "paused")

    @admin.action(description="Close")
    def close(self, request: HttpRequest, queryset: QuerySet[Market]) -> None:
        self._each(request, queryset, lifecycle.close_market, "closed")

    @admin.action(description="Resolve to the outcome with the label beside")
    def resolve(self, request: HttpRequest, queryset: QuerySet[Market]) -> None:
        label, note = request.POST.get("outcome", "").strip(), request.POST.get("note", "")

        def settle(*, market_id: int, **who: Any) -> Market:
            winner = Outcome.objects.filter(market_id=market_id, label__iexact=label).first()
            if winner is None:
                raise Invalid(outcome=f"It has no outcome {label!r}: write the label of the one that came true.")
            return resolution.resolve_market(market_id=market_id, weights={winner.pk: MICRO}, note=note, **who)

        self._each(request, queryset, settle, "resolved")

    @admin.action(description="Unresolve (take the payouts back)")
    def unresolve(self, request: HttpRequest, queryset: QuerySet[Market]) -> None:
        self._each(request, queryset, resolution.unresolve_market, "unresolved")

    @admin.action(description="Cancel (refund what was paid)")
    def cancel(self, request: HttpRequest, queryset: QuerySet[Market]) -> None:
        self._each(request, queryset, resolution.cancel_market, "cancelled")


class ShelfAdmin(ModelAdmin):
    """A category or tag. Its slug is its public name: set once, and there while a market has it."""

    list_display = ["name", "slug"]
    search_fields = ["name"]
    prepopulated_fields = {"slug": ["name"]}

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return ["slug"] if obj else []

    def get_prepopulated_fields(self, request: HttpRequest, obj: Any = None) -> dict[str, Any]:
        return {} if obj else {"slug": ["name"]}

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_delete_permission(request, obj) and not (obj and obj.markets.exists())


admin.site.register(Category, ShelfAdmin)
admin.site.register(Tag, ShelfAdmin)
