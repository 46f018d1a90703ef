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

SAMPLE: Final = Path(__file__).resolve().parents[2] / "sample/markets.json"
TEXTS: Final = ["external_id", "name", "description", "resolution_criteria", "category", "tags"]


class Command(BaseCommand):
    help = "Load the sample markets. Those already there are left alone."

    def handle(self, **_options: Any) -> None:
        samples = Market.objects.filter(external_id__startswith="sample:")
        known = set(samples.values_list("external_id", flat=True))
        rows = json.loads(SAMPLE.read_text(encoding="utf-8"))
        new = [row for row in rows if row["external_id"] not in known]
        for row in new:
            load(row, now=timezone.now())
        self.stdout.write(f"{len(new)} sample markets loaded, {len(known)} already there.")


def load(row: dict[str, Any], *, now: datetime) -> None:
    """Create a market and take it to its status at the times when staff would have."""
    opens = now + timedelta(days=row["opens_in_days"])
    closes = now + timedelta(days=row["closes_in_days"])
    status = row["status"]
    market = catalogue.create_market(
        actor=None,
        now=min(opens, now) - timedelta(hours=1),
        **{name: row[name] for name in TEXTS},
        outcomes=[OutcomeDraft(o["label"], to_micro(o["probability"])) for o in row["outcomes"]],
        liquidity=to_micro(row["liquidity"]),
        open_at=opens,
        close_at=closes,
        status="draft" if status in {"draft", "cancelled"} else "scheduled",
        imported=True,
    )
    ids: dict[str, Any] = {"market_id": market.pk, "actor": None}
    if status in {"active", "paused", "closed", "resolved"}:
        lifecycle.open_market(now=opens, **ids)
    if status == "paused":
        lifecycle.pause_market(now=now, **ids)
    if status in {"closed", "resolved"}:
        lifecycle.close_market(now=closes, **ids)
    if status == "resolved":
        resolution.resolve_market(
            now=closes + timedelta(hours=2),
            weights={market.outcomes.get(label=row["resolves_to"]).pk: MICRO},
            evidence_url=row["evidence_url"],
            note=row["note"],
            **ids,
        )
    if status == "cancelled":
        resolution.cancel_market(now=now, note=row.get("note", ""), **ids)
