"""Who gets what when a market is settled: lines for people to look at before money moves."""

from collections.abc import Mapping
from dataclasses import dataclass

from django.contrib.auth import get_user_model
from django.db.models import Sum

from markets.models import Market, Position, Proposal, Status

SHOWN = 10  # of the largest winners and losers


@dataclass(frozen=True)
class Line:
    """A trader's part of a settlement, in micro-credits."""

    trader_id: int
    name: str
    paid_in: int  # all purchases less all sales; negative if more was got out
    gets: int

    @property
    def result(self) -> int:
        return self.gets - self.paid_in


@dataclass(frozen=True)
class Outlook:
    """The lines of a settlement that matter, and its totals in micro-credits."""

    winners: list[Line]
    losers: list[Line]
    traders: int
    paid: int


def outlook(market: Market, payouts: Mapping[int, int]) -> Outlook:
    """Return what `payouts` (micro-credits by user id) means for each of the market's traders."""
    by_trader = Position.objects.filter(market=market).order_by().values_list("trader")
    paid_in = dict(by_trader.annotate(Sum("net_cost")))
    results = {pk: payouts.get(pk, 0) - paid for pk, paid in paid_in.items()}
    ranked = sorted(results, key=lambda pk: (-results[pk], pk))
    won = [pk for pk in ranked[:SHOWN] if results[pk] > 0]
    lost = [pk for pk in ranked[::-1][:SHOWN] if results[pk] < 0]
    name = names([*won, *lost])

    def lines(traders: list[int]) -> list[Line]:
        return [Line(pk, name[pk], paid_in[pk], payouts.get(pk, 0)) for pk in traders]

    return Outlook(lines(won), lines(lost), len(paid_in), sum(payouts.values()))


def names(user_ids: list[int]) -> dict[int, str]:
    """Return user names by user id."""
    users = get_user_model()._default_manager.filter(pk__in=user_ids)
    return dict(users.values_list("pk", "username"))


def open_proposal(market: Market) -> Proposal | None:
    """Return the proposed resolution that waits for a decision. Only a closed market has one."""
    if market.status != Status.CLOSED:
        return None
    return market.proposals.filter(decided_at=None).select_related("proposed_by").first()


def held_by(user_id: int, market: Market) -> list[Position]:
    """Return the shares that a user holds in the market, for the warning to who settles it."""
    held = Position.objects.filter(trader_id=user_id, market=market, shares__gt=0)
    return list(held.select_related("outcome"))
