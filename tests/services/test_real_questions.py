"""Real questions are traded and settled as they really ended."""

import contextlib
import csv
import io
from datetime import UTC, datetime

import pytest

from markets.domain.orders import Order
from markets.models import Market
from markets.selectors import audit, calibration
from markets.services import importing, resolution, trading
from tests.support.people import person
from tests.support.real import RESOLVED


@pytest.mark.skipif(not RESOLVED.exists(), reason="the real questions are not beside the project")
def test_real_questions_are_traded_and_settled_as_they_ended(world):
    """Imported as of the day before they ended, traded by two who lean to either side, settled, audited, scored."""
    import random

    now = datetime(2025, 12, 20, tzinfo=UTC)
    importing.import_markets(table=importing.parse_csv(RESOLVED.read_bytes()), actor=None, now=now)
    ends = {
        row["external_id"]: row["resolved_to"]
        for row in csv.DictReader(io.StringIO(RESOLVED.read_text(encoding="utf-8"), newline=""))
    }
    before = 0.0
    traders, chance = [person("ann"), person("ben")], random.Random(1)
    markets = list(Market.objects.filter(status="active"))
    assert len(markets) > 90
    for number, market in enumerate(markets):
        yes, no = market.outcomes.all()
        truth = float(ends[market.external_id])
        before += (yes.probability / 1e6 - truth) ** 2
        side = yes if chance.random() < 0.3 + 0.4 * truth else no
        order = Order(outcome_id=side.pk, side="buy", amount=4_000_000)
        with contextlib.suppress(trading.errors.PriceOutOfRange):
            trading.place_trade(
                market_id=market.pk,
                trader=traders[number % 2],
                order=order,
                client_order_id=str(number),
                now=now,
            )
        weight = round(truth * 1_000_000)
        resolution.resolve_market(
            market_id=market.pk,
            actor=None,
            now=now,
            weights={yes.pk: weight, no.pk: 1_000_000 - weight},
        )
    assert audit.breaches() == []
    score = calibration.brier_score()
    print(  # noqa: T201
        f"Brier score of the crowd on {len(markets)} questions: {score:.4f}; as imported: {before / len(markets):.4f}"
    )
    assert 0 < score < 0.25, "better than always saying one half"
