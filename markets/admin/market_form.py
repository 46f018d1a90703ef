"""The form of a market and its outcomes. If somebody else has
saved a field meanwhile, it says who, when and what."""

import json
from collections.abc import Callable, Collection
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from hashlib import sha256
from typing import Any, cast
from uuid import uuid4

from django import forms
from django.conf import settings
from django.db.models import Model, QuerySet
from django.forms.models import BaseInlineFormSet
from django.http import HttpRequest, QueryDict
from unfold.admin import TabularInline
from unfold.widgets import UnfoldAdminDecimalFieldWidget as DecimalInput
from unfold.widgets import UnfoldAdminTextInputWidget as TextInput
from unfold.widgets import UnfoldAdminURLInputWidget as URLInput

from markets.admin.base import ServiceForm, amount
from markets.domain.amounts import MICRO
from markets.domain.limits import REASON_LENGTH
from markets.domain.text import OutcomeDraft
from markets.models import Market, Outcome
from markets.selectors import timeline
from markets.services import lifecycle
from markets.services.catalogue import MarketChanges


def _micro(value: Decimal) -> int:
    return int(value * MICRO)


def _stored_outcomes(market: Market) -> list[OutcomeDraft]:
    return [OutcomeDraft(o.label, o.probability) for o in market.outcomes.all()]


def opened(market: Market | None) -> bool:
    """Return whether liquidity, opening time and priors are fixed."""
    return bool(market and market.pk and market.status not in lifecycle.BEFORE_TRADING)


def _digest(value: Any) -> str:
    """Return a short text that is equal for values that the form shows alike."""
    if isinstance(value, str):
        value = value.replace("\r\n", "\n").strip()  # browsers send both
    elif isinstance(value, datetime):
        value = value.astimezone(UTC).replace(microsecond=0).isoformat()
    elif isinstance(value, Decimal):
        value = _micro(value)
    elif isinstance(value, QuerySet):
        value = sorted(row.pk for row in value)
    elif isinstance(value, Model):
        value = value.pk
    return sha256(repr(value or None).encode()).hexdigest()[:12]


class SeenField(forms.JSONField):
    """Digests by field name. A person does not see this field, so nothing in it is an error."""

    widget = forms.HiddenInput

    def to_python(self, value: Any) -> Any:
        try:
            seen = super().to_python(value)
        except (forms.ValidationError, RecursionError):
            return {}
        if not isinstance(seen, dict):
            return {}
        return {name: digest for name, digest in seen.items() if isinstance(digest, str)}


_OPENED = (
    "The market opened while you were writing. Its liquidity, opening time and first probabilities "
    "are fixed now, and what you typed there cannot be saved. Save again to save the rest."
)


class MarketForm(ServiceForm):
    """Saves only what the person changed. `seen` holds digests of the values that the page showed:
    a field that the person and, meanwhile, somebody else have changed is a conflict."""

    liquidity = forms.DecimalField(
        initial=100, min_value=1, max_digits=12, decimal_places=6, widget=DecimalInput,
        help_text="How deep the market is, in shares: the larger, the less a trade moves the "
        "price (the b of the LMSR).",
    )  # fmt: skip
    source_url = forms.URLField(
        label="Source", required=False, max_length=500, assume_scheme="https", widget=URLInput,
        help_text="The address of a page about the question.",
    )  # fmt: skip
    reason = forms.CharField(
        required=False, max_length=REASON_LENGTH, label="Reason for a correction", widget=TextInput,
        help_text="People have traded on the name, the labels and the criteria: say why they "
        "change. Everybody sees it.",
    )  # fmt: skip
    seen = SeenField(required=False)
    once = forms.CharField(
        required=False, max_length=40, initial=lambda: uuid4().hex, widget=forms.HiddenInput
    )
    saved_before: Collection[str] = ()  # values of `once` that made a market in this session

    class Meta:
        model = Market
        fields = [
            "name", "description", "resolution_criteria", "category", "tags", "liquidity",
            "open_at", "close_at", "source_url",
        ]  # fmt: skip
        help_texts = dict.fromkeys(("open_at", "close_at"), f"In the zone {settings.TIME_ZONE}.")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if opened(self.instance):
            self.fields.pop("liquidity", None)
        if self.instance.pk:
            stored = {name: _digest(self._stored(name)) for name in self._texts()}
            self.initial["seen"] = {**stored, "outcomes": _digest(_stored_outcomes(self.instance))}
            if "liquidity" in self.fields:
                self.initial["liquidity"] = Decimal(self.instance.liquidity) / MICRO

    def _texts(self) -> list[str]:
        """Return the names of the fields that are saved."""
        return [name for name in MarketForm.Meta.fields if name in self.fields]

    def _stored(self, name: str) -> Any:
        if name == "tags":
            return self.instance.tags.all()
        value = getattr(self.instance, name)
        return Decimal(value) / MICRO if name == "liquidity" else value

    @property
    def changed_data(self) -> list[str]:
        """Return the names of the fields that the person changed."""
        if not self.instance.pk or not hasattr(self, "cleaned_data"):
            return super().changed_data
        seen = self.cleaned_data["seen"]
        texts = [name for name in self._texts() if name in self.cleaned_data]
        return [name for name in texts if _digest(self.cleaned_data[name]) != seen.get(name)]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        if self.instance.pk:
            self._check_newer(cleaned)
        elif cleaned.get("once") and cleaned["once"] in self.saved_before:
            self.add_error(None, "This form was saved already: the market is in the list.")
        return cleaned

    def _check_newer(self, cleaned: dict[str, Any]) -> None:
        """Show what somebody else saved beside what was typed. Saved again, the typed one wins."""
        seen = cleaned["seen"]
        for name in self.changed_data:
            stored = _digest(self._stored(name))
            if stored in {seen.get(name), _digest(cleaned[name])}:
                continue
            seen = {**seen, name: stored}
            theirs = timeline.last_change(self.instance, name) or "Somebody changed it meanwhile."
            self.add_error(name, f"{theirs} Yours is in the field: save again to put it on top.")
        if opened(self.instance) and self._typed_what_is_fixed(seen):
            self.add_error(None, _OPENED)
        # the outcomes' own form compares them, and says so if they conflict
        seen = {**seen, "outcomes": _digest(_stored_outcomes(self.instance))}
        cleaned["seen"] = seen
        data = cast(QueryDict, self.data).copy()
        data[self.add_prefix("seen")] = json.dumps(seen)
        self.data = data

    def _typed_what_is_fixed(self, seen: dict[str, str]) -> bool:
        """Return whether the page was shown before the opening, and these were changed on it."""
        priors = [outcome.probability for outcome in self.instance.outcomes.all()]
        typed = [self.data.get(f"outcomes-{place}-probability") for place in range(len(priors))]
        opens = [self.data.get(f"open_at_{part}") for part in (0, 1)]
        try:
            changed = any(
                text and _micro(Decimal(text)) != prior
                for text, prior in zip(typed, priors, strict=True)
            )
            if text := self.data.get("liquidity"):
                changed |= _digest(Decimal(text)) != seen.get("liquidity")
            if None not in opens:
                at = forms.SplitDateTimeField(required=False).clean(opens)
                changed |= _digest(at) != seen.get("open_at")
        except (InvalidOperation, forms.ValidationError):
            return True
        return changed

    def written(self) -> MarketChanges:
        """Return the values for the services: all of a new market, the changed ones of another."""
        convert: dict[str, Callable[[Any], Any]] = {
            "category": lambda category: category and category.slug,
            "tags": lambda tags: [tag.slug for tag in tags],
            "liquidity": _micro,
            "description": lambda text: text.replace("\r\n", "\n"),
            "resolution_criteria": lambda text: text.replace("\r\n", "\n"),
        }
        names = self.changed_data if self.instance.pk else self._texts()
        values = {name: self.cleaned_data[name] for name in names}
        for name in values.keys() & convert:
            values[name] = convert[name](values[name])
        return cast(MarketChanges, values)


class OutcomeForm(ServiceForm):
    probability = forms.DecimalField(
        required=False, min_value=0, max_value=1, decimal_places=6,
        widget=DecimalInput(attrs={"data-probability": "", "aria-label": "Starting probability"}),
        help_text="Where the price starts, 0 to 1. Left empty: an equal share of the rest.",
    )  # fmt: skip

    class Meta:
        model = Outcome
        fields = ["label", "probability"]
        widgets = {"label": TextInput(attrs={"aria-label": "Label"})}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk:
            self.initial["probability"] = Decimal(self.instance.probability) / MICRO

    def draft(self) -> OutcomeDraft:
        cleaned = self.cleaned_data
        if "probability" not in cleaned:  # fixed, so not in the form
            return OutcomeDraft(cleaned["label"], self.instance.probability)
        start = cleaned["probability"]
        return OutcomeDraft(cleaned["label"], None if start is None else _micro(start))


class OutcomeFormSet(BaseInlineFormSet):
    def clean(self) -> None:
        """Refuse to overwrite what somebody else saved since the page was shown, once."""
        super().clean()
        if not self.instance.pk or any(self.errors) or not self.changed_by_person():
            return
        stored = _stored_outcomes(self.instance)
        if _digest(stored) in {self._seen(), _digest(self.drafts())}:
            return
        theirs = timeline.last_change(self.instance, "outcomes") or "Somebody changed them."
        raise forms.ValidationError(f"{theirs} Save again to put yours on top.")

    def changed_by_person(self) -> bool:
        """Return whether there are outcomes, other than those that the page showed."""
        drafts = self.drafts()
        return bool(drafts) and _digest(drafts) != self._seen()

    def _seen(self) -> str | None:
        return SeenField().to_python(self.data.get("seen")).get("outcomes")

    def drafts(self) -> list[OutcomeDraft]:
        return [
            cast(OutcomeForm, form).draft()
            for form in self.forms
            if form.cleaned_data.get("label") and not form.cleaned_data.get("DELETE")
        ]


PRIOR = amount("probability", "Probability at the start")


class OutcomeInline(TabularInline):
    """The outcomes. Once the market has opened, only their labels change."""

    model = Outcome
    form = OutcomeForm
    formset = OutcomeFormSet
    readonly_fields = [PRIOR]
    extra = 0
    max_num = 20
    hide_title = True

    def get_extra(self, request: HttpRequest, obj: Market | None = None, **kwargs: Any) -> int:
        return 0 if obj else 2

    def get_fields(self, request: HttpRequest, obj: Market | None = None) -> list[Any]:
        fixed = opened(obj) or not self.has_change_permission(request, obj)
        return ["label", PRIOR if fixed else "probability"]

    def get_formset(self, request: Any, obj: Market | None = None, **kwargs: Any) -> Any:
        formset = super().get_formset(request, obj, **kwargs)
        if opened(obj):
            formset.form.base_fields.pop("probability", None)
        return formset

    def has_add_permission(self, request: HttpRequest, obj: Market | None = None) -> bool:
        return not opened(obj) and super().has_add_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Market | None = None) -> bool:
        return not opened(obj) and super().has_delete_permission(request, obj)
