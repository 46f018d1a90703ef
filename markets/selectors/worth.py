"""What somebody is worth, now and over time: computed from the ledger, never stored."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

from django.contrib.auth.base_user import AbstractBaseUser

from markets.domain.amounts import MICRO
from markets.domain.event_types import EventType
from markets.models import Candle, Event, Market, Outcome, Position, Posting, Status
from markets.selectors.history import prices_at
from markets.selectors.portfolio import SETTLED, spendable

POINTS: Final = 60
MOST_POSTINGS: Final = 1000  # as far back as the line goes

_MINUTE: Final = timedelta(minutes=1)
_DAY: Final = timedelta(days=1)
_ZERO: Final = datetime(2000, 1, 1, tzinfo=UTC)

Holding = dict[int, int]  # micro-shares that are worth something, by outcome id
Span = tuple[datetime, datetime | None]  # from, until


class Worth(NamedTuple):
    """Amounts in micro-credits."""

    balance: int
    held: int  # what shares in markets that are not settled are worth now
    profit: int  # of all markets, the unsettled ones at the prices of now
    day_ago: int  # the worth of then, or of the beginning if that is less than a day ago
    at_first: int  # the worth at the account's beginning
    moments: list[datetime]  # even ones, the last is now
    line: list[int]  # the worth at each

    @property
    def total(self) -> int:
        return self.balance + self.held


def worth_of(user: AbstractBaseUser, *, now: datetime) -> Worth:
    """Return the worth in a fixed number of statements; without a line before the first posting.

    The line goes back over the newest MOST_POSTINGS postings: from the holdings of now, each trade
    is undone. The price at a past moment is that of its minute's beginning, or in a line of less
    than an hour up to a minute younger.
    """
    own = Posting.objects.filter(account__user_id=user.pk)
    newest = list(own.select_related("entry__trade").order_by("-id")[:MOST_POSTINGS])
    if not newest:
        grant = spendable(user)
        return Worth(grant, 0, 0, grant, grant, [], [])
    first = newest[-1] if len(newest) < MOST_POSTINGS else own.earliest("id")
    positions = list(_positions(user))
    prices = _prices(positions)
    begun = min(posting.entry.at for posting in newest)
    moments = _moments(begun, now)
    past = [*moments[:-1], max(moments[0], now - _DAY)]
    *line, day_ago = _worths(newest, positions, past)
    if len(newest) < MOST_POSTINGS:  # it begins before the first trade, at the same moment
        line[0] = first.balance
        day_ago = first.balance if begun > now - _DAY else day_ago
    held = sum(p.shares * prices.get(p.outcome_id, 0) // MICRO for p in positions)
    balance = newest[0].balance
    return Worth(
        balance=balance,
        held=held,
        profit=_profit(positions, prices),
        day_ago=day_ago,
        at_first=first.balance,
        moments=moments,
        line=[*line, balance + held],
    )


def _positions(user: AbstractBaseUser) -> Iterable[Position]:
    found = Position.objects.filter(trader_id=user.pk).select_related("outcome", "market")
    return found.only("shares", "net_cost", "payout", "outcome__probability", "market__status")


def _prices(positions: Sequence[Position]) -> dict[int, int]:
    """Return the prices of now of what is held and not settled, by outcome id."""
    open_ = {p.market_id for p in positions if p.shares and p.market.status not in SETTLED}
    found = Market.objects.filter(pk__in=open_).only("liquidity").prefetch_related("outcomes")
    return {outcome.pk: price for market in found for outcome, price in market.priced()}


def _profit(positions: Iterable[Position], prices: dict[int, int]) -> int:
    """A cancelled market leaves what somebody had got out of it beyond what they paid in."""
    profit, cancelled = 0, Counter[int]()
    for position in positions:
        if position.market.status == Status.CANCELLED:
            cancelled[position.market_id] -= position.net_cost
        else:
            worth = position.shares * prices.get(position.outcome_id, 0) // MICRO
            profit += worth + position.payout - position.net_cost
    return profit + sum(max(0, kept) for kept in cancelled.values())


def _moments(begun: datetime, now: datetime) -> list[datetime]:
    """Return POINTS even moments; whole minutes, except now, where they are minutes apart."""
    step = (now - begun) / (POINTS - 1)
    even = [begun + step * i for i in range(POINTS - 1)]
    if step >= _MINUTE:
        even = [at + (_ZERO - at) % _MINUTE for at in even]
    return [*even, now]


def _worths(
    newest: Sequence[Posting], positions: Sequence[Position], moments: Sequence[datetime]
) -> list[int]:
    """Return the worth at each of the moments, none before the oldest posting."""
    trades = [(p.entry.at, trade) for p in newest if (trade := getattr(p.entry, "trade", None))]
    traded = {trade.outcome_id for _at, trade in trades}
    played = [p for p in positions if p.shares or p.outcome_id in traded]
    settled = _settled({p.market_id for p in played})
    holdings: list[Holding] = []
    for moment in moments:
        shares = Counter({p.outcome_id: p.shares for p in played})
        for at, trade in trades:
            if at > moment:
                shares[trade.outcome_id] -= trade.shares if trade.side == "buy" else -trade.shares
        closed = {pk for pk, spans in settled.items() if _in_one(moment, spans)}
        held = (p.outcome_id for p in played if p.market_id not in closed)
        holdings.append({pk: shares[pk] for pk in held if shares[pk]})
    prices = prices_at(_ever_held(played, holdings), moments, period=Candle.Period.MINUTE)
    return [
        newest[0].balance
        - sum(p.amount for p in newest if p.entry.at > moment)
        + sum(n * prices[pk][i] // MICRO for pk, n in holding.items())
        for i, (moment, holding) in enumerate(zip(moments, holdings, strict=True))
    ]


def _ever_held(positions: Iterable[Position], holdings: Iterable[Holding]) -> list[Outcome]:
    wanted = {outcome_id for holding in holdings for outcome_id in holding}
    return [p.outcome for p in positions if p.outcome_id in wanted]


def _settled(market_ids: set[int]) -> dict[int, list[Span]]:
    """Return when the shares of each market were worth nothing more than what they had paid."""
    kinds = [EventType.RESOLVED, EventType.UNRESOLVED, EventType.CANCELLED]
    found = Event.objects.filter(market__in=market_ids, type__in=kinds).order_by("market_id", "seq")
    spans = defaultdict[int, list[Span]](list)
    for event in found.only("market_id", "type", "at"):
        if event.type == EventType.UNRESOLVED:
            begun, _ = spans[event.market_id].pop()
            spans[event.market_id].append((begun, event.at))
        else:
            spans[event.market_id].append((event.at, None))
    return spans


def _in_one(moment: datetime, spans: Iterable[Span]) -> bool:
    return any(begun <= moment and (not end or moment < end) for begun, end in spans)
