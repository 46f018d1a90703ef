"""How simulated traders decide: pure functions of what they see. Amounts are floats: nobody's books are kept here."""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Final

LEAST_GAP: Final = 0.02  # an informed trader does not act on less


@dataclass
class Memory:
    """What a trader remembers: shares by outcome id, and the last price seen of each."""

    holdings: dict[int, float] = field(default_factory=dict)
    seen: dict[int, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Wish:
    """An order in the words of the API, without its key."""

    outcome_id: int
    side: str
    size: Mapping[str, str]  # {"amount": "5"} or {"shares": "3.5"}


def truth(market: Mapping[str, Any]) -> dict[int, float]:
    """Hidden probabilities of a market, the same for everybody who asks: somewhere around its first prices."""
    chance = random.Random(sha256(f"truth of {market['slug']}".encode()).digest())
    weights = [
        max(0.005, float(o["price"])) * chance.lognormvariate(0, 0.8) for o in market["outcomes"]
    ]
    return {
        o["id"]: weight / sum(weights)
        for o, weight in zip(market["outcomes"], weights, strict=True)
    }


def noise(
    market: Mapping[str, Any], memory: Memory, _known: Mapping[int, float], chance: random.Random
) -> Wish | None:
    """Buys this and that, and now and then sells some of it."""
    held = [o["id"] for o in market["outcomes"] if memory.holdings.get(o["id"], 0) > 0.1]
    if held and chance.random() < 0.4:
        outcome = chance.choice(held)
        return _sell(outcome, memory, chance.uniform(0.2, 1))
    return _buy(chance.choice(market["outcomes"])["id"], chance.uniform(1, 6))


def momentum(
    market: Mapping[str, Any], memory: Memory, _known: Mapping[int, float], chance: random.Random
) -> Wish | None:
    """Buys what has risen since the last look, sells what has fallen."""
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
    """Knows the truth, and moves the price some of the way there."""
    gaps = {o["id"]: known[o["id"]] - float(o["price"]) for o in market["outcomes"]}
    under, over = max(gaps, key=lambda one: gaps[one]), min(gaps, key=lambda one: gaps[one])
    if gaps[over] < -LEAST_GAP and memory.holdings.get(over, 0) > 1:
        return _sell(over, memory, 0.5)
    if gaps[under] > LEAST_GAP:
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
