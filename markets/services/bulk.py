"""One operation on many markets: proposed, confirmed, then run market by market as a job."""

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

from django.contrib.auth.base_user import AbstractBaseUser
from django.db import transaction
from django.db.models import Count, F, Q, QuerySet, Sum
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from markets import events
from markets.domain.errors import AlreadyDone, IllegalTransition, Invalid, NotFound, Refused
from markets.domain.permissions import Permission
from markets.domain.text import OutcomeDraft
from markets.infra import broker
from markets.models import Job, Market, Position, Status
from markets.services import catalogue, lifecycle, resolution
from markets.services.catalogue import MarketChanges

AT_ONCE: Final = 100  # markets; more are run by a worker


class Operation(NamedTuple):
    """`run(market_id, actor, now, **parameters)` changes one market, which has one of `starts`."""

    name: str  # for its list: "Close"
    will: str  # "will close"
    done: str  # "closed"
    permission: Permission
    starts: tuple[Status, ...]
    run: Callable[..., Any]


def _change(
    *,
    market_id: int,
    actor: AbstractBaseUser,
    now: datetime,
    tags: Sequence[str] = (),
    close_at: str = "",
    **category: str | None,
) -> Market:
    """Set a closing time or a category, or add tags; parameters as JSON has them."""
    changes = MarketChanges()
    if "category" in category:
        changes["category"] = category["category"]
    if close_at:
        changes["close_at"] = parse_datetime(close_at)
    if tags:
        market = Market.objects.prefetch_related("tags").filter(pk=market_id).first()
        own = [tag.slug for tag in market.tags.all()] if market else []
        changes["tags"] = [*own, *tags]
    return catalogue.edit_market(market_id=market_id, actor=actor, now=now, changes=changes)


def _duplicate(*, market_id: int, actor: AbstractBaseUser, now: datetime) -> Market:
    market = Market.objects.prefetch_related("tags", "outcomes").get(pk=market_id)
    outcomes = [OutcomeDraft(o.label, o.probability) for o in market.outcomes.all()]
    return catalogue.create_market(
        actor=actor,
        now=now,
        name=market.name,
        description=market.description,
        resolution_criteria=market.resolution_criteria,
        source_url=market.source_url,
        category=market.category.slug if market.category else None,
        tags=[tag.slug for tag in market.tags.all()],
        liquidity=market.liquidity,
        outcomes=outcomes,
        close_at=market.close_at if market.close_at and market.close_at > now else None,
    )


_OPERATE, _EDIT = Permission.OPERATE_MARKET, Permission.EDIT_MARKET
_starts = {verb: move.starts for verb, move in lifecycle.MOVES.items()}
_open = (*lifecycle.BEFORE_TRADING, *lifecycle.LIVE)
OPERATIONS: Final = {
    "schedule": Operation(
        "Schedule", "will be scheduled", "scheduled", _OPERATE, _starts["schedule"],
        lifecycle.schedule_market,
    ),
    "open": Operation(
        "Open", "will open", "opened", _OPERATE, _starts["open"], lifecycle.open_market
    ),
    "pause": Operation(
        "Pause", "will be paused", "paused", _OPERATE, _starts["pause"], lifecycle.pause_market
    ),
    "close": Operation(
        "Close", "will close", "closed", _OPERATE, _starts["close"], lifecycle.close_market
    ),
    "move_closing": Operation(
        "Move the closing date", "will close at the new time", "moved", _EDIT, _open, _change
    ),
    "set_category": Operation(
        "Set the category", "will get the category", "changed", _EDIT, lifecycle.UNSETTLED, _change
    ),
    "add_tags": Operation(
        "Add tags", "will get the tags", "tagged", _EDIT, lifecycle.UNSETTLED, _change
    ),
    "duplicate": Operation(
        "Duplicate as drafts", "will be copied to a draft", "copied", Permission.ADD_MARKET,
        tuple(Status), _duplicate,
    ),
    "cancel": Operation(
        "Cancel and refund", "will be cancelled", "cancelled", Permission.RESOLVE_MARKET,
        _starts["cancel"], resolution.cancel_market,
    ),
}  # fmt: skip


def propose(
    *, operation: str, market_ids: Collection[int], actor: AbstractBaseUser, now: datetime
) -> Job:
    """Store what was chosen, for a page that shows what would happen. Nothing happens yet."""
    return Job.objects.create(
        operation=operation,
        market_ids=list(market_ids),
        requested_by_id=actor.pk,
        created_at=now,
        touched_at=now,
    )


_LATE: Final[dict[str, tuple[str, Callable[[datetime], Q]]]] = {  # as `lifecycle.check_move`
    "open": ("past the closing time", lambda now: Q(close_at__lte=now)),
    "schedule": (
        "without an opening time in the future",
        lambda now: Q(open_at=None) | Q(open_at__lte=now),
    ),
}


def fitting(job: Job, now: datetime) -> QuerySet[Market]:
    """Return the chosen markets that the job can change."""
    starts = OPERATIONS[job.operation].starts
    rows = Market.objects.filter(pk__in=job.market_ids, status__in=starts)
    return rows.exclude(_LATE[job.operation][1](now)) if job.operation in _LATE else rows


def plan(job: Job, now: datetime) -> tuple[int, Counter[str]]:
    """Return how many markets allow the operation now, and how many others by what they are."""
    starts = OPERATIONS[job.operation].starts
    chosen = Market.objects.filter(pk__in=job.market_ids).order_by()
    statuses = Counter(dict(chosen.values_list("status").annotate(Count("pk"))))
    allowed = sum(statuses.pop(status, 0) for status in starts)
    if job.operation in _LATE:
        fits = fitting(job, now).count()
        if late := allowed - fits:
            statuses[_LATE[job.operation][0]] = late
        allowed = fits
    return allowed, statuses


def refunds(job: Job) -> tuple[int, int]:
    """Return what a job that cancels would refund, in micro-credits, and to how many traders."""
    starts = OPERATIONS[job.operation].starts
    held = Position.objects.filter(market__in=job.market_ids, market__status__in=starts)
    paid_in = held.order_by().values("market", "trader").annotate(net=Sum("net_cost"))
    found = list(paid_in.filter(net__gt=0).values_list("trader", "net"))
    return sum(net for _, net in found), len({trader for trader, _ in found})


def confirm(*, job_id: int, parameters: dict[str, Any], now: datetime) -> Job:
    """Start a proposed job: a short one at once, a long one by a worker.

    Raise AlreadyDone for a second confirmation.
    """
    with transaction.atomic(durable=True):
        changed = Job.objects.filter(pk=job_id, state=Job.State.PROPOSED).update(
            state=Job.State.QUEUED, parameters=parameters, touched_at=now
        )
        if not changed:
            raise AlreadyDone
        job = Job.objects.get(pk=job_id)
        if len(job.market_ids) > AT_ONCE:
            events.start_task(broker.RUN_JOB, job.pk)
    if len(job.market_ids) <= AT_ONCE:
        run(job)
    return job


def retry(*, job_id: int, now: datetime) -> None:
    """Go on with a failed job where it failed. Raise AlreadyDone if it did not fail."""
    with transaction.atomic(durable=True):
        failed = Job.objects.filter(pk=job_id, state=Job.State.FAILED)
        if not failed.update(state=Job.State.QUEUED, error="", touched_at=now):
            raise AlreadyDone
        events.start_task(broker.RUN_JOB, job_id)


def run(job: Job) -> None:
    """Go on with a queued job at its position; do nothing with one that another worker has taken.

    Two that run the same job, one of which was thought dead, count no market twice.
    """
    operation = OPERATIONS[job.operation]
    queued = Job.objects.filter(pk=job.pk, state=Job.State.QUEUED)
    if not queued.update(state=Job.State.RUNNING, touched_at=timezone.now()):
        return
    job.refresh_from_db()
    for position in range(job.position, len(job.market_ids)):
        market_id, now = job.market_ids[position], timezone.now()
        counted: dict[str, Any] = {"done": F("done") + 1}
        try:
            if why := _unfit(job, market_id, now):
                counted = _skipped(job, market_id, why)
            else:
                actor = job.requested_by
                operation.run(market_id=market_id, actor=actor, now=now, **job.parameters)
        except (IllegalTransition, NotFound) as moved:  # just now
            counted = _skipped(job, market_id, str(moved))
        except Refused as refusal:
            job.failures.append(_failure(market_id, str(refusal)))
            counted = {"failures": job.failures}
        here = Job.objects.filter(pk=job.pk, position=position)
        if not here.update(position=position + 1, touched_at=now, **counted):
            return  # another worker is ahead
    Job.objects.filter(pk=job.pk).update(state=Job.State.DONE)
    job.refresh_from_db()


def _unfit(job: Job, market_id: int, now: datetime) -> str:
    """Return why the job cannot change a market, or nothing."""
    market = Market.objects.filter(pk=market_id).only("status", "open_at", "close_at").first()
    if market is None:
        return "It is gone."
    if market.status not in OPERATIONS[job.operation].starts:
        return f"It is {market.status}."
    try:
        lifecycle.check_move(job.operation, market, now)
    except Invalid as refusal:
        return str(refusal)
    return ""


def _skipped(job: Job, market_id: int, why: str) -> dict[str, Any]:
    if len(job.skips) < AT_ONCE:
        job.skips.append(_failure(market_id, why))
    return {"skipped": F("skipped") + 1, "skips": job.skips}


def _failure(market_id: int, why: str) -> dict[str, Any]:
    name = Market.objects.filter(pk=market_id).values_list("name", flat=True).first()
    return {"market": market_id, "name": name, "why": why}
