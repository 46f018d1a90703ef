"""A market in every state, and texts as mean as the rules allow, for tests that look at all public pages."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.utils import timezone

from markets.domain.amounts import MICRO
from markets.domain.text import OutcomeDraft
from markets.models import Market
from markets.services import catalogue, lifecycle, proposals, resolution
from tests.support.factory import (
    make_market,
    make_market_that_is,
    order,
    resolve,
    trade,
    yes_no,
)
from tests.support.people import person
from tests.support.reactions import react_to_all

WORD = "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunte"  # 60 letters
ACCENTS = "Z" + "\u0301\u0302\u0303\u0304" * 8 + "a" + "\u0323\u0324\u0331" * 8 + "lgo"
TURNED = "Right\u202eto left"  # from there on everything is turned around, where nothing stops it

TEXT = f"""# A heading

Some **bold** words, a [link](https://example.org), a bare one: https://example.org/{"a" * 90}

1. one
   - two
     - three

> quoted

| a | b | c | d | e | f |
|---|---|---|---|---|---|
| {WORD} | 2 | 3 | {WORD} | 5 | 6 |

```
{"wide " * 60}
```
"""


def drafts(*labels: str) -> list[OutcomeDraft]:
    return [OutcomeDraft(label) for label in labels]


def showcase() -> dict[str, str]:
    """Make the markets; return the address of every public page by a name for it."""
    now = timezone.now()
    past = now - timedelta(days=3)
    facts: dict[str, Any] = {
        "now": past,
        "category": "Weather",
        "tags": ["Wet", "Cold"],
        "description": TEXT,
        "resolution_criteria": TEXT,
        "close_at": now + timedelta(days=26),
        "source_url": "https://example.org/source",
    }
    ann, rev = person("ann"), person("rev")
    many = drafts("Calendar sync", "Bulk import", "Dark theme", "Custom roles", "Offline mode")
    made: dict[str, Market] = {
        "two": make_market("Will it rain on the day of the summer party?", **facts),
        "many": make_market("Which request will top the vote?", outcomes=many, **facts),
        "mean": make_market(
            f"{WORD} {ACCENTS} {TURNED}?",
            outcomes=drafts(WORD, ACCENTS, TURNED, f"{TURNED} {WORD}"),
            **facts | {"category": WORD, "tags": [WORD, ACCENTS, TURNED]},
        ),
        "mean-two": make_market(
            f"{TURNED} {WORD}?",
            outcomes=drafts(f"{WORD} {TURNED}", ACCENTS),
            **facts | {"category": TURNED},
        ),
        "resolved": make_market("Did it snow?", **facts),
        "proposed": make_market("Is it a tie?", **facts),
        "taken-back": make_market("Was it a draw?", **facts),
        "quiet": make_market("Will anybody trade here?", now=past),
    }
    for number, market in enumerate(list(made.values())):
        for hour in range(0 if market is made["quiet"] else 8):
            outcome = yes_no(market)[(number + hour) % 2]
            at = past + timedelta(hours=9 * hour)
            trade(ann, market, order(outcome, shares=(5 + hour) * MICRO), now=at)
    catalogue.edit_market(
        market_id=made["mean"].pk,
        actor=rev,
        now=now,
        changes={"description": f"{TEXT} {TURNED} {WORD}"},
    )
    resolve(made["resolved"], yes=MICRO)
    resolution.resolve_market(
        market_id=made["taken-back"].pk,
        actor=rev,
        now=now,
        weights={yes_no(made["taken-back"])[0].pk: MICRO},
        note=f"{WORD} {TURNED}",
    )
    resolution.unresolve_market(
        market_id=made["taken-back"].pk, actor=rev, now=now, note="A mistake."
    )
    lifecycle.close_market(market_id=made["proposed"].pk, actor=None, now=now)
    proposals.propose(
        market_id=made["proposed"].pk,
        actor=rev,
        now=now,
        weights={o.pk: MICRO // 2 for o in yes_no(made["proposed"])},
        note=f"{TURNED} {WORD}",
        evidence_url="https://example.org/evidence",
    )
    for status in ("cancelled", "paused", "closed", "scheduled"):
        made[status] = make_market_that_is(status, f"Is this one {status}?")
    react_to_all()
    return {name: market.get_absolute_url() for name, market in made.items()} | {
        "home": "/",
        "search": "/?q=rain",
        "none": "/?q=zebra",
        "shelf": "/?category=zoo",
        "quote": f"{made['two'].get_absolute_url()}?amount=25#panel",
    }
