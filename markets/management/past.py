"""Weeks of trading on the sample's markets, as a list of acts that services then carry out.

The list follows from the sample, its end and the grant alone, so that an interrupted start can be
taken up again. Days are counted from the end; amounts and prices are in millionths.
"""

import math
import random
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from clients.minds import MINDS, Memory, Wish
from clients.people import PEOPLE, Person
from markets.domain import orders
from markets.domain.amounts import MICRO, to_micro
from markets.domain.errors import Refused
from markets.domain.pricing import Book

TRADER: Final = "trader"  # as whom one tries the demo; has these orders behind them
TRADERS_ORDERS: Final = (  # day, market, outcome, credits: bought for, or if negative sold for
    (-37.3, "last-service-auth-gateway", "Reporting", 40),
    (-36.9, "torino-scale-one", "Yes", 30),
    (-30.2, "gold-new-high", "Yes", 55),
    (-28.4, "rose-theme-leaves-beta", "Yes", 25),
    (-24.1, "port-ellery-half-marathon", "Yes", 22),
    (-23.3, "last-service-auth-gateway", "Billing", 15),
    (-20.6, "brent-above-opening", "No", 60),
    (-19.2, "lantern-street-opening-night", "Yes", 18),
    (-14.3, "gold-new-high", "Yes", -20),
    (-9.4, "brent-above-opening", "Yes", 35),
    (-8.2, "sev1-count-90-days", "2", 30),
    (-6.3, "roadmap-vote-winner", "Offline mode", 20),
    (-6.2, "roadmap-vote-winner", "Dark theme", 15),
    (-5.5, "enso-state-next-update", "Neutral", 45),
    (-2.4, "booker-winner-length", "300 to 399 pages", 25),
    (-1.3, "us-unemployment-up", "No", 30),
)
WEEKEND: Final = 0.35  # of a working day's looks
QUIET_DAYS: Final = 0.05  # without trades, before the end
BUSY: Final = 22  # so much appeal of all markets together, and nobody stays away
FLOOR: Final = 20_000  # of prices: tighter than any market's own
SPENT: Final = 0.75  # at most, of the grant: the rest is for the days to come
SHORT: Final = 0.1  # of the grant: who has less to spend sells

Step = tuple[float, str, Any]  # day, verb, facts


class Act(NamedTuple):
    """One call of a service, and one event of the market `external_id`.

    A trade's facts are the trader's name, the outcome's place, and the fields of its order.
    """

    at: datetime
    external_id: str
    verb: str  # create, open, trade, comment, edit, pause, close, resolve or cancel
    facts: Mapping[str, Any]


@dataclass
class Trading:
    """A market that is open to trading."""

    row: Mapping[str, Any]
    book: Book
    ids: list[int]  # of its outcomes, in this simulation
    days: list[float]  # of news
    truths: list[list[float]]  # after each news: what is hidden from most, in log-odds
    mistaken: dict[str, list[float]]  # by person who follows the market: errors, in log-odds
    appeal: float

    @property
    def winner(self) -> int | None:
        labels = [outcome["label"] for outcome in self.row["outcomes"]]
        answer = self.row.get("resolves_to")
        return None if answer is None else self.ids[labels.index(answer)]

    def shown(self) -> dict[str, Any]:
        """Return what minds read of a market, as the API has it."""
        prices = zip(self.ids, self.book.prices(), strict=True)
        outcomes = [{"id": pk, "price": price / MICRO} for pk, price in prices]
        return {"outcomes": outcomes, "liquidity": self.row["liquidity"]}

    def known(self, day: float, name: str) -> dict[int, float]:
        """Return what the person takes for the truth: probabilities by outcome."""
        truth = self.truths[bisect_right(self.days, day) - 1]
        errors = self.mistaken[name]
        told = probabilities(one + error for one, error in zip(truth, errors, strict=True))
        return dict(zip(self.ids, told, strict=True))

    def liking(self, day: float, name: str) -> float:
        """Return the market's appeal to a person: most while it is new."""
        new = math.exp((self.days[0] - day) / 5)
        return self.appeal * (1 + 5 * new) if name in self.mistaken else 0


class Past:
    """The simulation: `acts` tells it from the first act to the last."""

    def __init__(
        self,
        rows: Iterable[Mapping[str, Any]],
        comments: Sequence[Mapping[str, Any]],
        end: datetime,
        grant: int,
    ) -> None:
        self.comments = comments
        self.rows = {row["external_id"]: row for row in rows}
        self.end, self.grant = end, grant
        self.chance = random.Random("a past")
        self.trading: dict[str, Trading] = {}
        self.memories: dict[str, Memory] = defaultdict(Memory)
        self.held: dict[tuple[str, int], int] = defaultdict(int)  # by name and outcome
        self.purses: dict[str, int] = defaultdict(lambda: int(grant * SPENT))

    def acts(self) -> Iterator[Act]:
        """Yield the acts in the order of their times, no two of which are the same."""
        steps = [step for row in self.rows.values() for step in life(row)]
        steps += [step for person in PEOPLE for step in self.looks(person)]
        steps += [(day, "order", (f"sample:{name}", *of)) for day, name, *of in TRADERS_ORDERS]
        steps += [(said["in_days"], "comment", said) for said in self.comments]
        last = None
        for day, verb, facts in sorted(steps, key=lambda step: step[0]):
            at = self.end + timedelta(days=day)
            if last and at <= last:
                at = last + timedelta(microseconds=1)
            if verb == "look":
                act = self.look(day, at, facts)
            elif verb == "order":
                act = self.order(at, *facts)
            elif verb == "comment":
                act = Act(at, facts["external_id"], verb, facts)
            else:
                self.follow(day, facts["external_id"], verb)
                act = Act(at, facts["external_id"], verb, facts)
            if act:
                last = at
                yield act

    def looks(self, who: Person) -> Iterator[Step]:
        """Yield when a person comes by: on working days mostly, for a few looks at a time."""
        midnight = self.end.replace(hour=0, minute=0, second=0, microsecond=0)
        for ago in range(int(who.joined), -1, -1):
            date = midnight - timedelta(days=ago)
            visits = who.looks / 2 * (WEEKEND if date.weekday() >= 5 else 1)
            visits *= self.chance.uniform(0.4, 1.6)
            for _ in range(int(visits + self.chance.random())):
                hours = who.wakes + 14 * self.chance.betavariate(1.6, 2.4)
                day = (date + timedelta(hours=hours) - self.end) / timedelta(days=1)
                for _ in range(self.chance.choice((1, 2, 2, 3))):
                    if -who.joined < day < -QUIET_DAYS:
                        yield day, "look", who
                    day += self.chance.expovariate(360)  # four minutes later

    def look(self, day: float, at: datetime, who: Person) -> Act | None:
        """Return the trade of a person who looks at one market, if there is one."""
        markets = list(self.trading.values())
        tastes = [market.liking(day, who.name) for market in markets]
        if sum(tastes) <= self.chance.random() * BUSY:
            return None
        market, memory = self.chance.choices(markets, tastes)[0], self.memories[who.name]
        if self.purses[who.name] < SHORT * self.grant:
            wish = sale(market, memory)
        else:
            mind = MINDS[PEOPLE.index(who) % len(MINDS)]
            wish = mind(market.shown(), memory, market.known(day, who.name), self.chance)
        return self.trade(at, market, who.name, wish) if wish else None

    def order(self, at: datetime, external_id: str, label: str, amount: float) -> Act | None:
        market = self.trading[external_id]
        labels = [outcome["label"] for outcome in market.row["outcomes"]]
        side = orders.BUY if amount > 0 else orders.SELL
        wish = Wish(market.ids[labels.index(label)], side, {"amount": str(abs(amount))})
        return self.trade(at, market, TRADER, wish)

    def trade(self, at: datetime, market: Trading, name: str, wish: Wish) -> Act | None:
        """Carry out a wish in the market's book; return None where a market would refuse it."""
        size = {unit: to_micro(text) for unit, text in wish.size.items()}
        order = orders.Order(outcome_id=wish.outcome_id, side=wish.side, **size)
        held = self.held[name, wish.outcome_id]
        try:
            quote = orders.price(market.book, market.ids, order, FLOOR, held)
        except Refused:
            return None
        sign = 1 if wish.side == orders.BUY else -1
        if sign * quote.cost > self.purses[name]:
            return None
        self.purses[name] -= sign * quote.cost
        self.held[name, wish.outcome_id] = held = held + sign * quote.shares
        self.memories[name].holdings[wish.outcome_id] = held / MICRO
        market.book = market.book.after(quote.index, sign * quote.shares)
        facts = {"trader": name, "outcome": quote.index, "side": wish.side, **size}
        return Act(at, market.row["external_id"], "trade", facts)

    def follow(self, day: float, external_id: str, verb: str) -> None:
        """Open a market to trading, or end it."""
        if verb == "open":
            first = 100 * list(self.rows).index(external_id)
            self.trading[external_id] = opened(self.rows[external_id], day, first)
        elif verb in {"pause", "close", "cancel"}:
            winner = self.trading.pop(external_id).winner
            if winner is not None:  # they are paid within hours
                for person in PEOPLE:
                    self.purses[person.name] += self.held[person.name, winner]


def life(row: Mapping[str, Any]) -> Iterator[Step]:
    """Yield what staff did with a market, with its row or the edit as facts.

    Drafts come last, so that a past is complete when all of its markets are there.
    """
    status, opens = row["status"], row["opens_in_days"]
    yield -0.01 if status == "draft" else min(opens, -0.02) - 1 / 24, "create", row
    if status in {"draft", "scheduled"}:
        return
    yield opens, "open", row
    for edit in row.get("edits", ()):
        yield edit["in_days"], "edit", {**edit, "external_id": row["external_id"]}
    if status in {"closed", "resolved"}:
        yield row["closes_in_days"], "close", row
    if status == "resolved":
        yield row["closes_in_days"] + 2 / 24, "resolve", row
    if status in {"paused", "cancelled"}:
        yield row["stopped_in_days"], "pause" if status == "paused" else "cancel", row


def opened(row: Mapping[str, Any], day: float, first_id: int) -> Trading:
    """Draw what will be true of a market: a little news most days, a jump now and then."""
    chance = random.Random(row["external_id"])
    prior = [to_micro(outcome["probability"]) for outcome in row["outcomes"]]
    ids = list(range(first_id, first_id + len(prior)))
    market = Trading(
        row,
        Book(prior, [0] * len(prior), to_micro(row["liquidity"])),
        ids,
        days=[day],
        truths=[[math.log(p) + chance.gauss(0, 0.2) for p in prior]],
        mistaken={
            who.name: [chance.gauss(0, who.error) for _ in prior]
            for who in PEOPLE
            if chance.random() < 0.67
        },
        appeal=chance.lognormvariate(0, 0.35),
    )
    last = min(0.0, row["closes_in_days"])
    while (day := day + chance.expovariate(1)) < last:
        size = 0.7 if chance.random() < 0.12 else 0.14
        truth = [one + chance.gauss(0, size) for one in market.truths[-1]]
        if market.winner is not None:  # the nearer the end, the clearer
            lived, before = (when - market.days[0] for when in (day, market.days[-1]))
            clearer = 6 * (lived**2 - before**2) / (last - market.days[0]) ** 2
            truth[ids.index(market.winner)] += clearer
        market.days.append(day)
        market.truths.append([math.log(max(0.03, p)) for p in probabilities(truth)])
    return market


def sale(market: Trading, memory: Memory) -> Wish | None:
    """Return the sale of half of what somebody holds most of."""
    most = max(market.ids, key=lambda pk: memory.holdings.get(pk, 0))
    shares = memory.holdings.get(most, 0) / 2
    return Wish(most, orders.SELL, {"shares": f"{shares:.2f}"}) if shares > 1 else None


def probabilities(log_odds: Iterable[float]) -> list[float]:
    weights = [math.exp(one) for one in log_odds]
    return [weight / sum(weights) for weight in weights]
