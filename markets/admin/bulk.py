"""Operations on many markets: chosen in their list, confirmed on a page, run as a job."""

from collections import Counter
from collections.abc import Callable, Iterable
from functools import cached_property
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.timezone import localtime
from unfold.enums import ActionVariant
from unfold.widgets import UnfoldAdminSplitDateTimeWidget

from markets.admin.base import StaffRequest, WorkAdmin, check_ids
from markets.admin.pages import ConfirmedPage, opens
from markets.admin.settling import PAGES, CancelForm
from markets.domain.permissions import may
from markets.domain.text import is_id
from markets.models import Job, Market
from markets.selectors import workqueue
from markets.services import bulk

MOST = 10_000  # markets of one job
_LIST = "list of markets"  # in the session: where one chose last, with its filters


class ClosingForm(forms.Form):
    close_at = forms.SplitDateTimeField(
        label="New closing time",
        widget=UnfoldAdminSplitDateTimeWidget,
        help_text=f"In the zone {settings.TIME_ZONE}.",
    )

    def clean_close_at(self) -> str:
        close_at = self.cleaned_data["close_at"]
        if close_at <= timezone.now():
            raise forms.ValidationError("This time has passed: give a later one.")
        return str(close_at.isoformat())


class BulkPage(ConfirmedPage):
    """What a proposed job would do, and its confirmation."""

    title = "Look and confirm"  # on the button; the page itself says what it is about
    path = "confirm"
    preview_template = "admin/job_preview.html"

    @cached_property
    def job(self) -> Job:
        pk = self.kwargs["object_id"]
        job = Job.objects.filter(pk=pk).first() if is_id(pk) else None
        if job is None:
            raise Http404
        return job

    @property
    def operation(self) -> bulk.Operation:
        return bulk.OPERATIONS[self.job.operation]

    @property
    def verb(self) -> str:  # type: ignore[override]
        return self.operation.name

    @property
    def button(self) -> str:
        return "danger" if self.job.operation == "cancel" else "primary"

    def has_permission(self) -> bool:
        own = self.job.requested_by_id == self.request.user.pk
        return own and may(self.request.user, self.operation.permission)

    def subject(self) -> Job:
        return self.job

    def blocked(self) -> str:
        return "" if self.job.state == Job.State.PROPOSED else "This was confirmed already."

    @cached_property
    def plan(self) -> tuple[int, Counter[str]]:
        return bulk.plan(self.job, timezone.now())

    def basis(self) -> str:
        allowed, others = self.plan
        return f"{allowed} {sorted(others.items())}"

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        check_ids(request, "category", "tags")
        return super().post(request, *args, **kwargs)

    def get_form_class(self) -> Any:
        if self.job.operation == "move_closing":
            return ClosingForm
        if self.job.operation == "cancel":
            return CancelForm
        if self.job.operation in {"set_category", "add_tags"}:
            return self._shelf_form("category" if self.job.operation == "set_category" else "tags")
        return forms.Form

    def _shelf_form(self, name: str) -> type[forms.Form]:
        """Return a form with the field of a market's own form, with which shelves are added too."""
        markets = self.model_admin.admin_site.get_model_admin(Market)
        column = Market._meta.get_field(name)
        field = markets.formfield_for_dbfield(column, request=self.request)
        field.required = name == "tags"
        return type("ShelfForm", (forms.Form,), {name: field})

    def _parameters(self, form: Any) -> dict[str, Any]:
        """Return the values of the form as the job stores them."""
        values = {name: value for name, value in form.cleaned_data.items() if name != "word"}
        if "category" in values:
            values["category"] = values["category"] and values["category"].slug
        if "tags" in values:
            values["tags"] = [tag.slug for tag in values["tags"]]
        return values

    def preview(self, form: Any) -> dict[str, Any]:
        allowed, others = self.plan
        return {
            "operation": self.operation,
            "allowed": allowed,
            "others": sorted(others.items()),
            "already": self.operation.done,
            "parameters": described(self._parameters(form)),
            "first": bulk.fitting(self.job, timezone.now()).only("name")[:10],
            "effect": getattr(PAGES.get(self.job.operation), "effect", ""),
            "cannot": not allowed,
            "at_once": bulk.AT_ONCE,
            "refunds": bulk.refunds(self.job) if self.job.operation == "cancel" else None,
        }

    def act(self, form: Any) -> str:
        self.done = bulk.confirm(
            job_id=self.job.pk, parameters=self._parameters(form), now=timezone.now()
        )
        if self.done.state != Job.State.DONE:
            return "It is being done. This page shows how far it is."
        return summary(self.done)

    def get_success_url(self) -> str:
        done = getattr(self, "done", None)
        if done is not None and (done.state != Job.State.DONE or done.failures):
            return reverse("admin:markets_job_change", args=[done.pk])
        return self.request.session.get(_LIST) or reverse("admin:markets_market_changelist")


def described(parameters: dict[str, Any]) -> list[tuple[str, str]]:
    """Return the parameters of a job as people read them."""
    labels = {"close_at": "New closing time", "category": "Category", "tags": "Tags"}
    texts = dict(parameters)
    if "category" in texts:
        texts["category"] = texts["category"] or "none"
    if "tags" in texts:
        texts["tags"] = ", ".join(texts["tags"])
    if "close_at" in texts and (at := parse_datetime(texts["close_at"])):
        texts["close_at"] = f"{localtime(at):%d %b %Y %H:%M %Z}"
    return [(labels.get(name, name.capitalize()), text) for name, text in texts.items() if text]


def summary(job: Job) -> str:
    """Return what a finished job did, in one sentence."""
    operation, failed = bulk.OPERATIONS[job.operation], len(job.failures)
    parts = [f"{job.done} {operation.done}"]
    parts += [f"{job.skipped} skipped"] if job.skipped else []
    parts += [f"{failed} failed"] if failed else []
    return f"Markets: {', '.join(parts)}."


def named(markets: list[dict[str, Any]]) -> str:
    return "\n".join(f"{one['name']}: {one['why']}" for one in markets[:100]) or "Nothing"


def bulk_action(name: str) -> Callable[..., Any]:
    """Return an action of the market list, which proposes a job and leads to its page."""
    operation = bulk.OPERATIONS[name]

    @admin.action(description=f"{operation.name}…", permissions=[operation.permission.name.lower()])
    def propose(_admin: object, request: StaffRequest, chosen: QuerySet[Market]) -> HttpResponse:
        ids = list(chosen.order_by("pk").values_list("pk", flat=True)[: MOST + 1])
        if len(ids) > MOST:
            messages.error(request, f"Choose at most {MOST:,} markets: narrow the list first.")
            return HttpResponseRedirect(request.get_full_path())
        request.session[_LIST] = request.get_full_path()
        now = timezone.now()
        job = bulk.propose(operation=name, market_ids=ids, actor=request.user, now=now)
        return HttpResponseRedirect(reverse("admin:markets_job_confirm_page", args=[job.pk]))

    propose.__name__ = name
    return propose


class RetryPage(BulkPage):
    """Goes on with a failed job where it failed."""

    title = "Retry"
    path = "retry"
    verb = "Go on where it failed"
    variant = ActionVariant.PRIMARY

    def blocked(self) -> str:
        return "" if self.job.state == Job.State.FAILED else "This job has not failed."

    def get_form_class(self) -> Any:
        return forms.Form

    def act(self, form: Any) -> str:
        bulk.retry(job_id=self.job.pk, now=timezone.now())
        return "It goes on. This page shows how far it is."

    def get_success_url(self) -> str:
        return reverse("admin:markets_job_change", args=[self.job.pk])


class FailedFilter(admin.SimpleListFilter):
    """Jobs of the last days that failed, or could not change some of their markets."""

    title = "what failed"
    parameter_name = "failed"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("1", "Failed lately")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Job]) -> QuerySet[Job]:
        failed = workqueue.failed_operations(timezone.now()).order_by().values("pk")
        return queryset.filter(pk__in=failed) if self.value() == "1" else queryset


@admin.register(Job)
class JobAdmin(WorkAdmin):
    """Jobs, with their progress while they run, and *Retry* when they have failed."""

    list_display = ["what", "state", "progress", "requested_by", "created_at"]
    list_filter = [FailedFilter, "state"]
    list_select_related = ["requested_by"]
    fields = (
        "what", "state", "progress", "result", "failed", "left_out", "error",
        "requested_by", "created_at",
    )  # fmt: skip
    actions_detail = ["confirm_page", "retry_page"]
    confirm_page = opens(BulkPage)
    retry_page = opens(RetryPage)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Job]:
        """Leave out of the list what somebody proposed and did not confirm."""
        jobs = super().get_queryset(request)
        match = request.resolver_match
        listed = match is not None and match.url_name == "markets_job_changelist"
        return jobs.exclude(state=Job.State.PROPOSED) if listed else jobs

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        operations = bulk.OPERATIONS.values()
        runs = any(may(request.user, operation.permission) for operation in operations)
        return runs or super().has_view_permission(request, obj)

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        rows = Job.objects.only("state", "requested_by")
        job = rows.filter(pk=object_id).first() if is_id(object_id) else None
        own = job is not None and job.requested_by_id == request.user.pk
        fitting = set()
        if job and own and job.state == Job.State.PROPOSED:
            fitting.add("markets_job_confirm_page")
        if job and own and job.state == Job.State.FAILED:
            fitting.add("markets_job_retry_page")
        actions: Iterable[Any] = super().get_actions_detail(request, object_id)
        return [action for action in actions if action.action_name in fitting]

    @admin.display(description="What")
    def what(self, job: Job) -> str:
        return f"{bulk.OPERATIONS[job.operation].name}: {len(job.market_ids):,} markets"

    @admin.display(description="Progress")
    def progress(self, job: Job) -> str:
        return f"{job.position:,} of {len(job.market_ids):,} ({job.percent} %)"

    @admin.display(description="Result")
    def result(self, job: Job) -> str:
        return summary(job) if job.position else "Nothing yet"

    @admin.display(description="What failed, and why")
    def failed(self, job: Job) -> str:
        return named(job.failures)

    @admin.display(description="What was skipped, and why")
    def left_out(self, job: Job) -> str:
        return named(job.skips)
