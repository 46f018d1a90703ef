"""What happened to a market, as people read it: who changed what, from what to what."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from difflib import SequenceMatcher
from itertools import takewhile
from typing import Any, Final

from django.utils.dateparse import parse_datetime

from markets.domain.event_types import TALK, EventType
from markets.models import Event, Market, Trade

SHOWN: Final = 50  # lines of a timeline, newest first
MOST_COMPARED: Final = 300  # words: comparing takes the product of both lengths, or more
_TEXTS: Final = {"description", "resolution_criteria", "name"}
_LABELS: Final = {
    "name": "Name", "description": "Description", "resolution_criteria": "Resolution criteria",
    "category": "Category", "tags": "Tags", "liquidity": "Liquidity", "open_at": "Opens",
    "close_at": "Closes", "source_url": "Source", "outcomes": "Outcomes",
}  # fmt: skip


@dataclass(frozen=True)
class Change:
    """A field that changed. `pieces` is the difference of a long text: (kind, words)."""

    label: str
    before: str
    after: str
    pieces: list[tuple[str, str]]


@dataclass(frozen=True)
class Entry:
    """One line of the timeline. `who` is empty for what the clock did."""

    seq: int
    at: datetime
    who: str
    what: str
    changes: list[Change]
    note: str


def entries(market: Market) -> list[Entry]:
    """Return the newest entries, without trades and comments."""
    events = market.events.exclude(type=EventType.TRADE).exclude(type__in=TALK)
    events = events.select_related("actor").order_by("-seq")
    labels = {outcome.pk: outcome.label for outcome in market.outcomes.all()}
    return [_entry(event, labels) for event in events[:SHOWN]]


def last_seq(market: Market) -> int:
    """Return the `seq` of the newest event that is no talk."""
    events = market.events.exclude(type__in=TALK).order_by("-seq")
    return events.values_list("seq", flat=True).first() or 0


def edits(market: Market) -> list[Entry]:
    """Return the newest edits since the market became public."""
    events = Event.objects.public().filter(market=market, type=EventType.UPDATED).order_by("-seq")
    return [_entry(event, {}) for event in events.select_related("actor")[:SHOWN]]


def newest_trades(market: Market) -> list[Trade]:
    trades = Trade.objects.filter(market=market).order_by("-id")
    return list(trades.select_related("trader", "outcome")[:SHOWN])


def last_change(market: Market, field: str) -> str:
    """Return who changed a field last, when and to what, as a sentence; or nothing."""
    events = market.events.filter(type=EventType.UPDATED, payload__changes__has_key=field)
    event = events.select_related("actor").order_by("-seq").first()
    if event is None:
        return ""
    who = event.actor.get_username() if event.actor else "Somebody"
    after = _text(field, event.payload["changes"][field]["to"])
    return f"{who} changed it on {_time(event.at)} to “{after}”."


def _entry(event: Event, labels: dict[int, str]) -> Entry:
    payload = event.payload
    changes = [
        _change(field, change["from"], change["to"])
        for field, change in payload.get("changes", {}).items()
    ]
    return Entry(
        seq=event.seq,
        at=event.at,
        who=event.actor.get_username() if event.actor else "",
        what=_what(event.type, payload, labels),
        changes=changes,
        note=payload.get("note") or payload.get("reason") or "",
    )


def _what(kind: str, payload: dict[str, Any], labels: dict[int, str]) -> str:
    if kind == EventType.CREATED:
        return f"Created as {payload['status']}" + (" by an import" if payload["imported"] else "")
    if kind == EventType.UPDATED:
        return "Edited" if "reason" not in payload else "Corrected"
    if kind in {EventType.RESOLVED, EventType.PROPOSED}:
        pays = (f"{labels.get(p['outcome_id'], '?')} {p['weight']}" for p in payload["payouts"])
        verb = "Resolved" if kind == EventType.RESOLVED else "Resolution proposed"
        return f"{verb}: {', '.join(pays)}"
    if kind == EventType.WITHDRAWN:
        return "Proposed resolution rejected"
    verb = kind.removeprefix("market.").capitalize()
    return f"{verb} ({payload['from']} → {payload['status']})" if "from" in payload else verb


def _change(field: str, before: Any, after: Any) -> Change:
    first, last = _text(field, before), _text(field, after)
    pieces = list(_difference(first, last)) if field in _TEXTS else []
    return Change(_LABELS.get(field, field), first, last, pieces)


def _text(field: str, value: Any) -> str:
    """Return a value of an event's changes as people write it."""
    if field in {"open_at", "close_at"} and value:
        at = parse_datetime(value)
        return _time(at) if at else str(value)
    if field == "outcomes":
        return ", ".join(f"{o['label']} {o['probability']}" for o in value)
    if isinstance(value, list):
        return ", ".join(value) or "none"
    return str(value) if value else "nothing"


def _time(at: datetime) -> str:
    return f"{at.day} {at:%b %Y %H:%M} UTC"


def _difference(before: str, after: str) -> Iterator[tuple[str, str]]:
    """Yield the words that stay ("same"), go ("gone") and come ("new"), in order."""
    old, new = before.split(" "), after.split(" ")
    first = _alike(old, new)
    last = _alike(old[first:][::-1], new[first:][::-1])
    gone, come = old[first : len(old) - last], new[first : len(new) - last]
    if first:
        yield "same", _shortened(old[:first])
    if max(len(gone), len(come)) > MOST_COMPARED:
        yield from (("gone", _shortened(gone)), ("new", _shortened(come)))
    else:
        yield from _compared(gone, come)
    if last:
        yield "same", _shortened(old[len(old) - last :])


def _alike(one: list[str], other: list[str]) -> int:
    """Return how many words at the beginning are the same."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))


def _compared(old: list[str], new: list[str]) -> Iterator[tuple[str, str]]:
    for kind, a, b, c, d in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if kind == "equal":
            yield "same", _shortened(old[a:b])
            continue
        if a < b:
            yield "gone", " ".join(old[a:b])
        if c < d:
            yield "new", " ".join(new[c:d])


def _shortened(words: list[str]) -> str:
    """Return words, of many only the first and the last."""
    return " ".join(words if len(words) < 20 else [*words[:6], "…", *words[-6:]])
