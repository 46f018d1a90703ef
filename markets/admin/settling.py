"""Pages that resolve, unresolve and cancel a market, after showing who gets what."""

from decimal import ROUND_DOWN, Decimal
from functools import cached_property
from typing import Any

from django import forms
from django.conf import settings
from django.http import Http404
from django.utils import timezone
from django.utils.timezone import localtime
from unfold.enums import ActionVariant
from unfold.widgets import (
    UnfoldAdminDecimalFieldWidget,
    UnfoldAdminSplitDateTimeWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
    UnfoldAdminURLInputWidget,
    UnfoldBooleanSwitchWidget,
)

from markets.admin.pages import ConfirmedPage
from markets.domain.amounts import MICRO, to_text
from markets.domain.errors import Invalid
from markets.domain.orders import Reversal
from markets.domain.permissions import Permission, may
from markets.domain.text import is_id
from markets.models import Market, Proposal, Status
from markets.selectors import settlement, timeline
from markets.services import lifecycle, proposals, resolution

STATUS_COLOURS = {
    "draft": "info", "scheduled": "warning", "active": "success", "paused": "warning",
    "closed": "info", "resolved": "primary", "cancelled": "danger",
}  # fmt: skip


def note_field(help_text: str) -> forms.CharField:
    widget = UnfoldAdminTextareaWidget(attrs={"rows": 3})
    return forms.CharField(required=False, widget=widget, help_text=help_text)


class MarketPage(ConfirmedPage):
    """A page about one market. What it shows holds until the market's next event."""

    move: str  # also the end of its address
    starts: tuple[Status, ...] = ()  # the statuses that allow it; else those of lifecycle.MOVES
    form_template = "admin/move_form.html"

    @cached_property
    def market(self) -> Market:
        pk = self.kwargs["object_id"]
        rows = Market.objects.prefetch_related("outcomes").defer("search_vector")
        market = rows.filter(pk=pk).first() if is_id(pk) else None
        if market is None:
            raise Http404
        return market

    @cached_property
    def proposal(self) -> Proposal | None:
        return settlement.open_proposal(self.market)

    def subject(self) -> Market:
        return self.market

    @classmethod
    def fits(cls, market: Market) -> bool:
        """Return whether the market's status allows the move."""
        return market.status in cls.allowing()

    @classmethod
    def allowing(cls) -> tuple[Status, ...]:
        return cls.starts or lifecycle.MOVES[cls.move].starts

    def blocked(self) -> str:
        if self.fits(self.market):
            return ""
        allowed = " or ".join(self.allowing())
        status = self.market.status
        return f"This market is {status}. To {self.move} a market, it must be {allowed}."

    def basis(self) -> str:
        return str(self.seq)

    @cached_property
    def seq(self) -> int:
        """Return the `seq` of the newest event: what people say outdates no preview."""
        return timeline.last_seq(self.market)

    def who(self) -> dict[str, Any]:
        """Return what every service needs: the market as it was shown, who, and when."""
        shown = self.request.POST.get("basis", "").partition(" ")[0]
        return {
            "market_id": self.market.pk,
            "actor": self.request.user,
            "now": timezone.now(),
            "expected_seq": int(shown) if is_id(shown) else -1,
        }

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context = super().get_context_data(**kwargs)
        return {
            **context,
            "market": self.market,
            "prices": self.market.priced(),
            "status_colour": STATUS_COLOURS[self.market.status],
            "held": settlement.held_by(self.request.user.pk, self.market),
        }


class ResolveForm(forms.Form):
    """One weight for each outcome, named `weight_<id>`: what a share of it pays, in credits."""

    def __init__(self, *args: Any, market: Market, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        labels = {f"weight_{outcome.pk}": outcome.label for outcome in market.outcomes.all()}
        self.weights, self.labels = list(labels), list(labels.values())
        for name, label in labels.items():
            self.fields[name] = forms.DecimalField(
                label=f"A share of {label} pays", required=False, min_value=0, max_value=1,
                decimal_places=6, widget=UnfoldAdminDecimalFieldWidget(attrs={"data-weight": ""}),
            )  # fmt: skip
        self.order_fields([*self.weights, "evidence_url", "note", "known_at"])

    evidence_url = forms.URLField(
        label="Evidence", required=False, max_length=500, assume_scheme="https",
        widget=UnfoldAdminURLInputWidget,
        help_text="The address of a page that shows the answer. Everybody sees it.",
    )  # fmt: skip
    note = note_field("Why this is the answer. Everybody sees it.")
    known_at = forms.SplitDateTimeField(
        label="When it became known", required=False, widget=UnfoldAdminSplitDateTimeWidget,
        help_text="In the world, if that was before now.",
    )  # fmt: skip

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        given = [cleaned.get(name) or Decimal(0) for name in self.weights]
        if not self.errors and sum(given) != 1:
            message = f"The weights sum to {sum(given):f}; they must sum to 1."
            raise forms.ValidationError(message)
        return cleaned

    def clean_known_at(self) -> Any:
        known_at = self.cleaned_data["known_at"]
        try:
            resolution.check_known(known_at, timezone.now())
        except Invalid as refusal:
            raise forms.ValidationError(str(refusal)) from None
        return known_at

    def micro_weights(self) -> dict[int, int]:
        """Return millionths by outcome id."""
        return {
            int(name.removeprefix("weight_")): int((self.cleaned_data[name] or 0) * MICRO)
            for name in self.weights
        }

    def presets(self) -> list[tuple[str, list[str]]]:
        """Return the label of each preset with the values of the weights in order."""
        count = len(self.weights)
        even = (Decimal(1) / count).quantize(Decimal("0.000001"), ROUND_DOWN)
        last = 1 - even * (count - 1)
        whole = [["1" if i == j else "0" for j in range(count)] for i in range(count)]
        evenly = [*[f"{even.normalize():f}"] * (count - 1), f"{last.normalize():f}"]
        return [*zip(self.labels, whole, strict=True), ("Split evenly", evenly)]


def _two_people() -> bool:
    return settings.RESOLUTION_REVIEW_HOURS is not None


def proposed(proposal: Proposal, market: Market, viewer: Any) -> str:
    """Return the proposed answer, its proposer and times, and why the viewer cannot approve it."""
    labels = {outcome.pk: outcome.label for outcome in market.outcomes.all()}
    weights = proposals.weights_of(proposal).items()
    pays = (labels.get(pk, "?") + (f" {to_text(w)}" if w < MICRO else "") for pk, w in weights)
    at, until = (
        f"{localtime(time):%d %b %H:%M %Z}"
        for time in (proposal.proposed_at, proposal.review_until)
    )
    what = f"Proposed: {', '.join(pays)}, by {proposal.proposed_by}, {at}, review until {until}."
    return f"{what} {proposals.why_not(proposal, viewer, timezone.now())}".strip()


def outcome_of(market: Market, weights: dict[int, int], answers: Any) -> dict[str, Any]:
    """Return the context of `resolve_preview.html`: who gets what."""
    found = resolution.preview_resolution(market_id=market.pk, weights=weights)
    outcomes = market.outcomes.all()
    return {
        "pays": [(outcome.label, to_text(weights.get(outcome.pk, 0))) for outcome in outcomes],
        "outlook": settlement.outlook(market, found.payouts),
        "returned": found.returned,
        "answers": answers,
        "hours": settings.RESOLUTION_REVIEW_HOURS,
    }


class ResolvePage(MarketPage):
    permission = Permission.RESOLVE_MARKET
    title = "Resolve"
    verb = "Resolve and pay"
    variant = ActionVariant.PRIMARY
    move = path = "resolve"
    form_class = ResolveForm
    form_template = "admin/resolve_form.html"
    preview_template = "admin/resolve_preview.html"

    def get_form_kwargs(self) -> dict[str, Any]:
        return {**super().get_form_kwargs(), "market": self.market}

    def preview(self, form: Any) -> dict[str, Any]:
        return outcome_of(self.market, form.micro_weights(), form.cleaned_data)

    def act(self, form: Any) -> str:
        answers = {name: form.cleaned_data[name] for name in ("evidence_url", "note", "known_at")}
        weights = form.micro_weights()
        self.service(**self.who(), weights=weights, **answers)
        return f"{self.market.name} is resolved, and its traders are paid."

    service: Any = staticmethod(resolution.resolve_market)

    @classmethod
    def fits(cls, market: Market) -> bool:
        return super().fits(market) and not _two_people()

    def blocked(self) -> str:
        if _two_people():
            closing = "" if self.market.status == Status.CLOSED else "close it, then "
            return f"Two people resolve a market here: {closing}propose a resolution."
        return super().blocked()


class ProposePage(ResolvePage):
    """In the place of `ResolvePage` where two people resolve."""

    title = "Propose a resolution"
    verb = "Propose it"
    move = path = "propose"
    starts = (Status.CLOSED,)
    service = staticmethod(proposals.propose)

    @classmethod
    def fits(cls, market: Market) -> bool:
        fitting = market.status in cls.starts and settlement.open_proposal(market) is None
        return fitting and _two_people()

    def blocked(self) -> str:
        if not _two_people():
            return "One person resolves a market here: resolve it."
        if self.proposal:
            return "A resolution is proposed already: approve or reject that one."
        return MarketPage.blocked(self)

    def act(self, form: Any) -> str:
        super().act(form)
        return "It is proposed. Another person approves or rejects it."


class ApprovePage(MarketPage):
    permission = Permission.RESOLVE_MARKET
    title = "Approve the resolution"
    verb = "Approve, resolve and pay"
    variant = ActionVariant.PRIMARY
    move = path = "approve"
    starts = (Status.CLOSED,)
    form_class: Any = forms.Form
    preview_template = "admin/resolve_preview.html"

    @classmethod
    def fits(cls, market: Market) -> bool:
        return super().fits(market) and settlement.open_proposal(market) is not None

    def blocked(self) -> str:
        if self.proposal is None:
            return "No resolution of this market is proposed."
        return proposals.why_not(self.proposal, self.request.user, timezone.now())

    def get(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        """Show the proposal also to who cannot approve it now."""
        if self.blocked() and self.proposal:
            form = self.get_form()
            return self.show(form, previewing=True, **self.preview(form))
        return super().get(request, *args, **kwargs)

    def preview(self, form: Any) -> dict[str, Any]:
        if self.proposal is None:
            raise Http404
        weights = proposals.weights_of(self.proposal)
        return outcome_of(self.market, weights, vars(self.proposal)) | {"proposal": self.proposal}

    def act(self, form: Any) -> str:
        proposals.approve(**self.who())
        return f"{self.market.name} is resolved, and its traders are paid."


class RejectForm(forms.Form):
    note = note_field("Why it is not approved. Everybody sees it.")


class RejectPage(ApprovePage):
    title = "Reject the proposal"
    verb = "Reject it"
    variant = ActionVariant.DEFAULT
    move = path = "reject"
    form_class = RejectForm
    preview_template = "admin/reject_preview.html"

    def blocked(self) -> str:
        return "" if self.fits(self.market) else "No resolution of this market is proposed."

    def act(self, form: Any) -> str:
        proposals.reject(**self.who(), note=form.cleaned_data["note"])
        return "The proposal is rejected. The market awaits another one."


class UnresolveForm(forms.Form):
    note = note_field("Why the resolution is taken back. Everybody sees it.")
    grant_lacking = forms.BooleanField(
        label="Grant what is lacking", required=False, widget=UnfoldBooleanSwitchWidget,
        help_text="Traders who have spent their payout are granted what they lack, so that it can "
        "be taken back.",
    )  # fmt: skip


class UnresolvePage(MarketPage):
    permission = Permission.RESOLVE_MARKET
    title = "Unresolve"
    verb = "Take the payouts back"
    move = path = "unresolve"
    form_class = UnresolveForm
    preview_template = "admin/unresolve_preview.html"

    def get_form(self, form_class: Any = None) -> Any:
        form = super().get_form(form_class)
        if not may(self.request.user, Permission.GRANT_CREDITS):
            del form.fields["grant_lacking"]
        return form

    def basis(self) -> str:
        """Return the market's `seq` and the credits that are lacking: a trader who spends credits
        in another market leaves no event in this one."""
        return f"{self.seq} {sum(self.reversal.lacking.values())}"

    @cached_property
    def reversal(self) -> Reversal:
        return resolution.preview_unresolution(market_id=self.market.pk)

    def preview(self, form: Any) -> dict[str, Any]:
        found = self.reversal
        name = settlement.names([*found.lacking])
        largest = sorted(found.lacking.items(), key=lambda item: -item[1])
        return {
            "reversal": found,
            "taken": sum(found.taken.values()),
            "short": [(name[pk], found.taken[pk], lacks) for pk, lacks in largest[:50]],
            "lacking": sum(found.lacking.values()),
            "grants": form.cleaned_data.get("grant_lacking", False),
            "may_grant": "grant_lacking" in form.fields,
            "cannot": bool(found.lacking) and not form.cleaned_data.get("grant_lacking"),
        }

    def act(self, form: Any) -> str:
        resolution.unresolve_market(**self.who(), **form.cleaned_data)
        return f"{self.market.name} is closed again, and its payouts are taken back."


class CancelForm(forms.Form):
    note = note_field("Why it is called off. Everybody sees it.")
    word = forms.CharField(
        label="Write “cancel”", widget=UnfoldAdminTextInputWidget(attrs={"autocomplete": "off"}),
        help_text="A cancelled market cannot be opened again.",
    )  # fmt: skip

    def clean_word(self) -> str:
        word = self.cleaned_data["word"].strip()
        if word.lower() != "cancel":
            raise forms.ValidationError("Write the word “cancel”, without quotation marks.")
        return word


class CancelPage(MarketPage):
    permission = Permission.RESOLVE_MARKET
    title = "Cancel"
    verb = "Cancel the market and refund"
    variant = ActionVariant.DANGER
    move = path = "cancel"
    form_class = CancelForm
    preview_template = "admin/cancel_preview.html"

    def preview(self, form: Any) -> dict[str, Any]:
        found = resolution.preview_cancellation(market_id=self.market.pk)
        return {
            "outlook": settlement.outlook(self.market, found.payouts),
            "returned": found.returned,
            "answers": form.cleaned_data,
        }

    def act(self, form: Any) -> str:
        resolution.cancel_market(**self.who(), note=form.cleaned_data["note"])
        back = ", and its traders have their credits back" if self.market.trader_count else ""
        return f"{self.market.name} is cancelled{back}."


class _Move(MarketPage):
    """A move without a choice: the page says what it means and asks once."""

    permission = Permission.OPERATE_MARKET
    form_class = forms.Form
    preview_template = "admin/move_preview.html"
    service: Any
    effect: str  # what it means, one sentence

    def preview(self, form: Any) -> dict[str, Any]:
        lifecycle.check_move(self.move, self.market, timezone.now())
        return {}

    def act(self, form: Any) -> str:
        who = self.who()
        del who["expected_seq"]  # trades do not change what a move means
        type(self).service(**who, expected_version=int(self.request.POST["basis"]))
        return f"{self.market.name} is {lifecycle.MOVES[self.move].end} now."

    def basis(self) -> str:
        return str(self.market.version)


class SchedulePage(_Move):
    title, verb = "Schedule", "Schedule"
    move = path = "schedule"
    service = lifecycle.schedule_market
    effect = "Everybody sees the market. It opens by itself at its opening time."


class OpenPage(_Move):
    title, verb = "Open", "Open for trading"
    move = path = "open"
    variant = ActionVariant.SUCCESS
    service = lifecycle.open_market
    effect = "Everybody sees the market and can trade. Its liquidity is paid in from the issuance."


class PausePage(_Move):
    title, verb = "Pause", "Pause trading"
    move = path = "pause"
    service = lifecycle.pause_market
    effect = "Nobody can trade until it is opened again. Prices and positions stay."


class ClosePage(_Move):
    title, verb = "Close the market", "End trading"
    move = path = "close"
    service = lifecycle.close_market
    effect = "Trading ends now and for good; the market then awaits its resolution."


# in the order of their buttons
PAGES: dict[str, type[MarketPage]] = {
    "schedule": SchedulePage,
    "open": OpenPage,
    "pause": PausePage,
    "close": ClosePage,
    "resolve": ResolvePage,
    "propose": ProposePage,
    "approve": ApprovePage,
    "reject": RejectPage,
    "unresolve": UnresolvePage,
    "cancel": CancelPage,
}
