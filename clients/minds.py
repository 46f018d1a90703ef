"""Strategies of simulated traders, as pure functions.

Amounts are floats, since only the server keeps accounts.
"""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Final

MIN_GAP: Final = 0.02  # between price and truth, for an informed trader to act


@dataclass
class Memory:
    """A trader's shares and last seen prices, by outcome id."""

    holdings: dict[int, float] = field(default_factory=dict)
    seen: dict[int, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Wish:
    """An order as the API takes it, without `client_order_id`."""

    outcome_id: int
    side: str
    size: Mapping[str, str]  # {"amount": "5"} or {"shares": "3.5"}


def truth(market: Mapping[str, Any]) -> dict[int, float]:
    """Return hidden probabilities by outcome id, drawn around the first prices; always the same."""
    chance = random.Random(sha256(f"truth of {market['slug']}".encode()).digest())
    weights = [
        max(0.005, float(o["price"])) * chance.lognormvariate(0, 0.4) for o in market["outcomes"]
    ]
    return {
        o["id"]: weight / sum(weights)
        for o, weight in zip(market["outcomes"], weights, strict=True)
    }


def noise(
    market: Mapping[str, Any], memory: Memory, _known: Mapping[int, float], chance: random.Random
) -> Wish | None:
    """Buy at random, and now and then sell some of the shares."""
    held = [o["id"] for o in market["outcomes"] if memory.holdings.get(o["id"], 0) > 0.1]
    if held and chance.random() < 0.4:
        outcome = chance.choice(held)
        return _sell(outcome, memory, chance.uniform(0.2, 1))
    return _buy(chance.choice(market["outcomes"])["id"], chance.uniform(1, 6))


def momentum(
    market: Mapping[str, Any], memory: Memory, _known: Mapping[int, float], chance: random.Random
) -> Wish | None:
    """Buy an outcome that has risen since the last look, sell one that has fallen."""
    moves = {
        o["id"]: float(o["price"]) - memory.seen.get(o["id"], float(o["price"]))
        for o in market["outcomes"]
    }
    memory.seen |= {o["id"]: float(o["price"]) for o in market["outcomes"]}
    outcome = max(moves, key=lambda one: abs(moves[one]))
    if abs(moves[outcome]) < 0.003:
        return None
    return (
        _buy(outcome, chance.uniform(2, 8)) if moves[outcome] > 0 else _sell(outcome, memory, 0.5)
    )


def informed(
    market: Mapping[str, Any], memory: Memory, known: Mapping[int, float], chance: random.Random
) -> Wish | None:
    """Know the truth, and trade the price some of the way there."""
    gaps = {o["id"]: known[o["id"]] - float(o["price"]) for o in market["outcomes"]}
    under, over = max(gaps, key=lambda one: gaps[one]), min(gaps, key=lambda one: gaps[one])
    if gaps[over] < -MIN_GAP and memory.holdings.get(over, 0) > 1:
        return _sell(over, memory, 0.5)
    if gaps[under] > MIN_GAP:
        return _buy(
            under, min(25.0, float(market["liquidity"]) * gaps[under]) * chance.uniform(0.3, 1)
        )
    return None


def _buy(outcome: int, amount: float) -> Wish:
    return Wish(outcome, "buy", {"amount": f"{max(0.1, amount):.2f}"})


def _sell(outcome: int, memory: Memory, part: float) -> Wish | None:
    shares = memory.holdings.get(outcome, 0) * part
    return Wish(outcome, "sell", {"shares": f"{shares:.2f}"}) if shares >= 0.02 else None


Mind = Callable[[Mapping[str, Any], Memory, Mapping[int, float], random.Random], Wish | None]
MINDS: Final[tuple[Mind, ...]] = (noise, momentum, informed)
