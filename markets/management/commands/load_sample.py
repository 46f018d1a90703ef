"""`manage.py load_sample`: the project's own sample markets, once."""

import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from django.core.management.base import BaseCommand
from django.utils import timezone

from markets.domain.amounts import MICRO, to_micro
from markets.domain.text import OutcomeDraft
from markets.models import Market
from markets.services import catalogue, lifecycle, resolution

SAMPLE: Final = Path(__file__).resolve().parents[2] / "sample" / "markets.json"


class Command(BaseCommand):
    help = "Load the sample markets. Those already there are left alone."

    def handle(self, **_options: Any) -> None:
        known = set(
            Market.objects.filter(external_id__startswith="sample:").values_list(
                "external_id", flat=True
            )
        )
        rows = [
            row
            for row in json.loads(SAMPLE.read_text(encoding="utf-8"))
            if row["external_id"] not in known
        ]
        for row in rows:
            load(row, now=timezone.now())
        self.stdout.write(f"{len(rows)} sample markets loaded, {len(known)} already there.")


def load(row: dict[str, Any], *, now: datetime) -> None:
    """Create one sample market and take it to its status, as staff would have done in the course of time."""
    opened, closes = (
        now + timedelta(days=row[name]) for name in ("opens_in_days", "closes_in_days")
    )
    created = min(opened, now) - timedelta(hours=1)
    status = row["status"]
    market = catalogue.create_market(
        actor=None,
        now=created,
        **{
            name: row[name]
            for name in (
                "external_id",
                "name",
                "description",
                "resolution_criteria",
                "category",
                "tags",
            )
        },
        outcomes=[OutcomeDraft(o["label"], to_micro(o["probability"])) for o in row["outcomes"]],
        liquidity=to_micro(row["liquidity"]),
        open_at=opened,
        close_at=closes,
        status="draft" if status in {"draft", "cancelled"} else "scheduled",
        imported=True,
    )
    who: dict[str, Any] = {"market_id": market.pk, "actor": None}
    if status in {"active", "paused", "closed", "resolved"}:
        lifecycle.open_market(now=opened, **who)
    if status == "paused":
        lifecycle.pause_market(now=now, **who)
    if status in {"closed", "resolved"}:
        lifecycle.close_market(now=closes, **who)
    if status == "resolved":
        winner = market.outcomes.get(label=row["resolves_to"])
        texts = {"evidence_url": row["evidence_url"], "note": row["note"]}
        resolution.resolve_market(
            now=closes + timedelta(hours=2), weights={winner.pk: MICRO}, **texts, **who
        )
    if status == "cancelled":
        resolution.cancel_market(now=now, note=row.get("note", ""), **who)
