"""Comments: staff read what was reported, hide or show it, and pin what is worth reading first."""

from collections.abc import Callable, Iterable
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Count, OuterRef, QuerySet, Subquery
from django.http import Http404, HttpRequest
from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.text import Truncator
from unfold.enums import ActionVariant

from markets.admin.base import NamesAdmin, ReadOnlyAdmin, ReadOnlyInline
from markets.admin.pages import ConfirmedPage, opens
from markets.domain.permissions import Permission
from markets.domain.text import is_id
from markets.models import Comment, CommentReport, CommentVersion
from markets.selectors import workqueue
from markets.services import comments


class DecisionPage(ConfirmedPage):
    """What a decision about a comment will do, and the button that takes it."""

    permission = Permission.MODERATE_COMMENTS
    form_class = forms.Form
    preview_template = "admin/people/preview.html"
    decision: comments.Decision
    effect: str
    fits: Callable[[Comment], bool]

    @cached_property
    def comment(self) -> Comment:
        found = self.model_admin.get_object(self.request, self.kwargs["object_id"])
        if found is None:
            raise Http404("There is no such comment.")
        return found

    def subject(self) -> Comment:
        return self.comment

    def blocked(self) -> str:
        return "" if type(self).fits(self.comment) else "There is nothing to do: it is so already."

    def basis(self) -> str:
        one = self.comment
        waiting = one.reports.filter(decided_at=None).count()
        return f"{one.edited_at} {one.hidden_at} {one.pinned_at} {waiting}"

    def preview(self, form: forms.Form) -> dict[str, Any]:
        return {"lines": [self.effect, f"{self.comment.author}: “{self.comment.text}”"]}

    def act(self, form: forms.Form) -> str:
        comments.decide(
            comment_id=self.comment.pk,
            actor=self.request.user,
            now=timezone.now(),
            decision=self.decision,
        )
        return f"The comment is {self.decision}."


class HidePage(DecisionPage):
    title, verb, path, variant = "Hide", "Hide it", "hide", ActionVariant.DANGER
    decision = "hidden"
    effect = "Nobody but staff will see its words or its writer; answers to it stay."

    @staticmethod
    def fits(comment: Comment) -> bool:
        return comment.hidden_at is None


class ShowPage(DecisionPage):
    title, verb, path = "Show again", "Show it again", "show"
    decision = "shown"
    effect = "Everybody will see the comment again."

    @staticmethod
    def fits(comment: Comment) -> bool:
        return comment.hidden_at is not None


class KeepPage(DecisionPage):
    title, verb, path = "Nothing wrong with it", "Keep it", "keep"
    decision = "shown"
    effect = "The comment stays as it is, and its reports are done with."

    @staticmethod
    def fits(comment: Comment) -> bool:
        return comment.hidden_at is None and comment.reports.filter(decided_at=None).exists()


class PinPage(DecisionPage):
    title, verb, path = "Pin", "Pin it", "pin"
    decision = "pinned"
    effect = "The comment will stand before all others."

    @staticmethod
    def fits(comment: Comment) -> bool:
        return not (comment.parent_id or comment.hidden_at or comment.pinned_at)


class UnpinPage(DecisionPage):
    title, verb, path = "Unpin", "Unpin it", "unpin"
    decision = "unpinned"
    effect = "The comment will stand among the others again."

    @staticmethod
    def fits(comment: Comment) -> bool:
        return comment.pinned_at is not None and comment.hidden_at is None


PAGES = {"keep": KeepPage, "hide": HidePage, "show": ShowPage, "pin": PinPage, "unpin": UnpinPage}


class Reports(ReadOnlyInline):
    model = CommentReport
    fields = ["reporter", "reason", "at", "decided_at"]


class Versions(ReadOnlyInline):
    model = CommentVersion
    verbose_name_plural = "Earlier texts"
    fields = ["written_at", "text"]


class ReportedFilter(admin.SimpleListFilter):
    title = "reports"
    parameter_name = "queue"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("reported", "Reported, not decided")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Comment]) -> QuerySet[Comment]:
        waiting = workqueue.reported_comments(timezone.now()).order_by().values("pk")
        return queryset.filter(pk__in=waiting) if self.value() else queryset


@admin.register(Comment)
class CommentAdmin(ReadOnlyAdmin, NamesAdmin):
    person_field = "author"
    market_field = "market"
    search_help_text = "The beginning of a username, or words of a market"
    list_display = ["said", "author", "market", "created_at", "state", "reported"]
    list_filter = [ReportedFilter, ("hidden_at", admin.EmptyFieldListFilter)]
    list_select_related = ["author", "market"]
    ordering = ["-id"]
    fields = (
        "text", "author", "market", "parent", "created_at", "edited_at", "pinned_at", "hidden_at",
        "hidden_by",
    )  # fmt: skip
    inlines = [Reports, Versions]
    actions_detail = [f"{name}_page" for name in PAGES]
    keep_page, hide_page, show_page = opens(KeepPage), opens(HidePage), opens(ShowPage)
    pin_page, unpin_page = opens(PinPage), opens(UnpinPage)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Comment]:
        waiting = CommentReport.objects.filter(comment=OuterRef("pk"), decided_at=None)
        counted = waiting.order_by().values("comment").annotate(n=Count("*")).values("n")
        return super().get_queryset(request).annotate(waiting=Subquery(counted))

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        """Return the decisions that change something."""
        comment = Comment.objects.filter(pk=object_id).first() if is_id(object_id) else None
        fitting = {f"{name}_page" for name, page in PAGES.items() if comment and page.fits(comment)}
        actions: Iterable[Any] = super().get_actions_detail(request, object_id)
        return [a for a in actions if a.action_name.removeprefix("markets_comment_") in fitting]

    @admin.display(description="Comment")
    def said(self, comment: Comment) -> str:
        return Truncator(comment.text).chars(80)

    @admin.display(description="State")
    def state(self, comment: Comment) -> str:
        return "hidden" if comment.hidden_at else "pinned" if comment.pinned_at else "shown"

    @admin.display(description="Reports")
    def reported(self, comment: Any) -> str:
        return str(comment.waiting or "–")
