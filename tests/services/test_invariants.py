"""Whatever happens in whatever order, every promise of the ledger holds after every step."""

import itertools
import os

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)

from markets.domain.amounts import MICRO
from markets.domain.errors import Refused
from markets.domain.orders import Order
from markets.domain.text import OutcomeDraft
from markets.models import Account, Market
from markets.selectors import audit
from markets.services import catalogue, ledger, lifecycle, resolution, trading
from tests.support.clock import NOW
from tests.support.people import person

EXAMPLES = int(os.environ.get("INVARIANT_EXAMPLES", "40"))  # of 50 steps each; 1000 for a night


STEPS: list[int] = []  # one for each time that everything was checked
RUNS = itertools.count()  # Hypothesis seeds `random` anew for every example


class Exchange(RuleBasedStateMachine):
    """Traders, markets and staff who do as they please."""

    markets = Bundle("markets")
    orders = Bundle("orders")

    @initialize()
    def begin(self):
        self.run = next(RUNS)
        self.people = [person(f"p{self.run}-{n}") for n in range(3)]
        self.orders_made = 0

    def attempt(self, work):
        try:
            return work()
        except Refused:
            return None

    @rule(target=markets, count=st.integers(2, 5), liquidity=st.sampled_from([1, 10, 333]))
    def open_market(self, count, liquidity):
        drafts = [OutcomeDraft(f"o{n}") for n in range(count)]
        facts = {
            "name": "m?",
            "status": "active",
            "outcomes": drafts,
            "liquidity": liquidity * MICRO,
        }
        return catalogue.create_market(actor=None, now=NOW, **facts).pk

    @rule(who=st.integers(0, 2), amount=st.integers(-500 * MICRO, 500 * MICRO))
    def grant(self, who, amount):
        self.attempt(
            lambda: ledger.grant(
                user=self.people[who], amount=amount, actor=None, now=NOW, reason="because"
            )
        )

    @rule(
        target=orders,
        market=markets,
        who=st.integers(0, 2),
        which=st.integers(0, 4),
        side=st.sampled_from(["buy", "buy", "sell"]),
        by=st.sampled_from(["shares", "amount", "target_price"]),
        size=st.one_of(st.integers(-10, 10), st.integers(10_000, 10**8), st.integers(1, 10**15)),
    )
    def trade(self, market, who, which, side, by, size):
        outcomes = list(Market.objects.get(pk=market).outcomes.all())
        size = size % MICRO if by == "target_price" else size
        order = Order(outcome_id=outcomes[which % len(outcomes)].pk, side=side, **{by: size})
        self.orders_made += 1
        key = f"{self.run}-{self.orders_made}"
        return self.send((market, who, order, key))

    @rule(target=orders, order=consumes(orders))
    def trade_again(self, order):
        return self.send(order) if order else multiple()

    def send(self, sent):
        market, who, order, key = sent
        made = self.attempt(
            lambda: trading.place_trade(
                market_id=market, trader=self.people[who], order=order, client_order_id=key, now=NOW
            )
        )
        return sent if made else multiple()

    @rule(market=markets, verb=st.sampled_from(["pause", "open", "close", "cancel", "unresolve"]))
    def move(self, market, verb):
        verbs = {
            "pause": lifecycle.pause_market, "open": lifecycle.open_market, "close": lifecycle.close_market,
            "cancel": resolution.cancel_market, "unresolve": resolution.unresolve_market,
        }  # fmt: skip
        self.attempt(lambda: verbs[verb](market_id=market, actor=None, now=NOW))

    @rule(market=markets, parts=st.lists(st.integers(0, 5), min_size=5, max_size=5))
    def resolve(self, market, parts):
        from markets.domain.pricing import apportion

        outcomes = list(Market.objects.get(pk=market).outcomes.all())
        parts = parts[: len(outcomes)]
        parts[0] += sum(parts) == 0
        weights = dict(
            zip(
                (o.pk for o in outcomes),
                apportion([part / sum(parts) for part in parts]),
                strict=True,
            )
        )
        self.attempt(
            lambda: resolution.resolve_market(
                market_id=market, actor=None, now=NOW, weights=weights
            )
        )

    @invariant()
    def every_promise_holds(self):
        STEPS.append(1)
        assert audit.breaches() == []

    @invariant()
    def nobody_has_more_than_there_is(self):
        assert all(account.balance >= 0 for account in Account.objects.exclude(kind="issuance"))


def test_every_promise_holds_whatever_happens(world):
    """At least a thousand steps; `INVARIANT_EXAMPLES=1000` for a night."""
    profile = settings(
        max_examples=EXAMPLES,
        stateful_step_count=50,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        database=None,
    )
    run_state_machine_as_test(Exchange, settings=profile)
    assert len(STEPS) >= min(1000, EXAMPLES * 25)
