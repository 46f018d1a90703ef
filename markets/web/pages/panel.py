"""The trade panel: an amount or an opinion becomes an order, and the order a quote.

Without JavaScript it takes two steps: the form asks for a quote (GET on the market's page), the
quote has the button that trades. With it, `static/markets/panel.js` asks while somebody types.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final, NamedTuple
from urllib.parse import urlencode
from uuid import uuid4

from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _

from markets.domain.amounts import LARGEST_AMOUNT, MICRO, to_cents, to_credits, to_micro, to_percent
from markets.domain.errors import InsufficientShares, PriceOutOfRange, Refused
from markets.domain.limits import ORDER_ID_LENGTH
from markets.domain.orders import BUY, SELL, Order, Quote, check_open
from markets.models import Market, Outcome, Trade
from markets.selectors import portfolio
from markets.services import trading

POINT: Final = MICRO // 100  # the guard: so far may the average price move before a trade
MUCH: Final = 30 * POINT  # a trade that moves the price so far is asked about
FETCHED: Final = "X-Fetched"  # the header of panel.js: it wants the islands alone

_NUMBER = re.compile(r"(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d{0,6})?|\.\d{1,6}", re.ASCII)
_COMMA = re.compile(r"\d+,\d{1,2}", re.ASCII)  # as many countries write 12.5


class Choice(NamedTuple):
    """An outcome, its price in millionths, and how many micro-shares the viewer holds."""

    market: Market
    outcome: Outcome
    price: int
    held: int

    @property
    def most(self) -> int:
        """Return the most that can be spent on the outcome now, in micro-credits."""
        end = MICRO - self.market.price_floor
        order = Order(outcome_id=self.outcome.pk, side=BUY, target_price=end)
        try:
            return trading.quote(market=self.market, order=order, now=timezone.now()).cost
        except Refused:
            return 0


class Mistake(Exception):
    """What somebody typed cannot be an order; the sentence says what would be."""


@dataclass(frozen=True)
class Panel:
    """What the panel shows. `balance` is in micro-credits, None for who is not signed in."""

    market: Market
    choices: list[Choice]
    chosen: Choice
    side: str
    amount: str
    chance: str
    balance: int | None
    order_id: str
    held: portfolio.Held | None  # what the viewer has here
    closed: str = ""  # why nobody can trade now
    order: Order | None = None
    quote: Quote | None = None
    problem: str = ""
    question: str = ""  # to answer with one more press of the button
    done: str = ""
    undo: Undo | None = None

    @property
    def traded(self) -> Choice:
        """Return the outcome that the order is about: an opinion may choose another one."""
        assert self.order
        return next(c for c in self.choices if c.outcome.pk == self.order.outcome_id)

    @property
    def buys(self) -> bool:
        return self.order is not None and self.order.side == BUY

    @property
    def typed(self) -> bool:
        return bool(self.amount or self.chance)

    @property
    def stops_short(self) -> bool:
        """Whether the price cannot go where the opinion would take it."""
        return bool(self.chance and self.order and self.order.target_price is None)

    @property
    def price_after(self) -> int:
        assert self.quote
        return self.quote.after[self.quote.index]

    @property
    def total(self) -> int:
        """Return what the button names: credits of a purchase, shares of a sale (millionths)."""
        assert self.quote
        return self.quote.cost if self.buys else self.quote.shares

    @property
    def profit(self) -> int:
        """Return what a purchase earns if it is right, in micro-credits."""
        assert self.quote
        return self.quote.shares - self.quote.cost

    @property
    def query(self) -> str:
        """Return the order as the query of the market's page."""
        facts = {
            "outcome": self.chosen.outcome.pk,
            "side": self.side,
            "amount": self.amount,
            "chance": self.chance,
        }
        return urlencode({name: value for name, value in facts.items() if value})

    @property
    def holds_any(self) -> bool:
        return any(choice.held for choice in self.choices)


class Undo(NamedTuple):
    """A sale of what was just bought. `paid` is what it would bring, in micro-credits."""

    bought: Trade
    paid: int
    seen: str  # the average price that it would bring
    order_id: str


def is_fetched(request: HttpRequest) -> bool:
    return FETCHED in request.headers


def typed(data: Mapping[str, str]) -> str:
    """Return what was typed as a query, for who comes back to it."""
    names = ("outcome", "side", "amount", "chance")
    return urlencode({name: data[name].strip()[:40] for name in names if data.get(name)})


def of(request: HttpRequest, market: Market, data: Mapping[str, str]) -> Panel:
    """Return the panel with what somebody has typed, and with a quote if that is an order."""
    panel = _empty(request, market, data)
    if not panel.typed:
        return panel
    if panel.closed:
        return replace(panel, problem=panel.closed)
    try:
        order = _order(panel)
        quote = trading.quote(market=market, order=order, now=timezone.now())
        return replace(panel, order=order, quote=quote, problem=_obstacle(panel, order, quote))
    except (Mistake, Refused) as refusal:
        return replace(panel, problem=_sentence(refusal, panel))


def _sentence(refusal: Exception, panel: Panel) -> str:
    if isinstance(refusal, PriceOutOfRange):
        said = _("That would take the price too far: try a smaller amount.")
        if most := panel.chosen.most:
            said += _(" At most %(most)s can be spent here.") % {"most": to_credits(most)}
        return said
    if isinstance(refusal, InsufficientShares):
        return _held(panel.chosen)
    return str(refusal)


def _empty(request: HttpRequest, market: Market, data: Mapping[str, str]) -> Panel:
    signed_in = request.user.is_authenticated
    held = portfolio.in_market(request.user, market)
    shares = {p.outcome_id: p.shares for p in held.positions} if held else {}
    choices = [
        Choice(market, outcome, price, shares.get(outcome.pk, 0))
        for outcome, price in market.priced()
    ]
    by_id = {str(choice.outcome.pk): choice for choice in choices}
    first, _price = market.shown(1)[0]
    chosen = by_id.get(data.get("outcome", ""), by_id[str(first.pk)])
    try:
        check_open(market.status, market.close_at, timezone.now())
        closed = ""
    except Refused as refusal:
        closed = str(refusal)
    order_id = data.get("order", "")[:ORDER_ID_LENGTH]
    return Panel(
        market=market,
        choices=choices,
        chosen=chosen,
        side=SELL if data.get("side") == SELL else BUY,
        amount=data.get("amount", "").strip()[:40],
        chance=data.get("chance", "").strip()[:40],
        balance=portfolio.spendable(request.user) if signed_in else None,
        order_id=order_id if order_id and order_id.isprintable() else uuid4().hex,
        held=held,
        closed=closed,
    )


def _order(panel: Panel) -> Order:
    """Raise Mistake."""
    if panel.amount and panel.chance:
        raise Mistake(_("Give an amount or a chance, not both: clear one of them."))
    if panel.chance:
        return _from_opinion(panel)
    amount, outcome_id = _number(panel.amount), panel.chosen.outcome.pk
    if panel.side == SELL:
        if amount > panel.chosen.held:
            raise Mistake(_held(panel.chosen))
        return Order(outcome_id=outcome_id, side=SELL, shares=amount)
    if panel.balance is not None and amount > panel.balance:
        raise Mistake(_too_much(amount, panel.balance))
    return Order(outcome_id=outcome_id, side=BUY, amount=amount)


def _from_opinion(panel: Panel) -> Order:
    """Return the trade that takes the price to the given chance. Raise Mistake."""
    try:
        target = _number(panel.chance.removesuffix("%").strip()) // 100
    except Mistake:
        target = 0
    if not 0 < target < MICRO:
        raise Mistake(_("Give a chance between 0 and 100 %, such as 65."))
    chosen, floor = panel.chosen, panel.market.price_floor
    target = min(max(target, floor), MICRO - floor)
    if target >= chosen.price:
        return Order(outcome_id=chosen.outcome.pk, side=BUY, target_price=target)
    if chosen.held:
        sale = Order(outcome_id=chosen.outcome.pk, side=SELL, target_price=target)
        try:
            needed = trading.quote(market=panel.market, order=sale, now=timezone.now()).shares
        except InsufficientShares:  # more than anybody holds
            needed = chosen.held + 1
        if needed <= chosen.held:
            return sale
        return Order(outcome_id=chosen.outcome.pk, side=SELL, shares=chosen.held)
    if len(panel.choices) == 2:
        other = next(c for c in panel.choices if c is not chosen)
        return Order(outcome_id=other.outcome.pk, side=BUY, target_price=MICRO - target)
    said = _("You hold none of “%(outcome)s” to sell. If you think it is less likely, buy another.")
    raise Mistake(said % {"outcome": chosen.outcome.label})


def _number(text: str) -> int:
    """Return millionths. Raise Mistake."""
    text = "".join(text.removesuffix("cr").split())
    if _COMMA.fullmatch(text):
        text = text.replace(",", ".")
    if not _NUMBER.fullmatch(text):
        raise Mistake(_("Write the amount as a number, such as 25 or 12.5."))
    try:
        amount = to_micro(f"0{text.replace(',', '')}".rstrip("."))
    except ValueError:
        amount = LARGEST_AMOUNT + 1
    if amount > LARGEST_AMOUNT:
        raise Mistake(_("That is more than there is: try a smaller amount."))
    if amount == 0:
        raise Mistake(_("Give more than 0."))
    return amount


def _held(choice: Choice) -> str:
    facts = {"outcome": choice.outcome.label, "shares": to_credits(choice.held)}
    if not choice.held:
        return _("You hold no shares of “%(outcome)s” to sell.") % facts
    return _("You hold %(shares)s shares of “%(outcome)s”: sell at most those.") % facts


def _obstacle(panel: Panel, order: Order, quote: Quote) -> str:
    """Return why the viewer cannot carry out the order, or nothing."""
    if panel.balance is None or order.side == SELL or quote.cost <= panel.balance:
        return ""
    return _too_much(quote.cost, panel.balance)


def _too_much(cost: int, balance: int) -> str:
    facts = {"cost": to_cents(cost), "balance": to_cents(balance)}
    return _("That costs %(cost)s credits, and you have %(balance)s: try less, or Max.") % facts


def question(panel: Panel) -> str:
    """Return what to ask before a large trade, or nothing."""
    quote = panel.quote
    assert quote
    before, after = quote.before[quote.index], quote.after[quote.index]
    facts = {"before": to_percent(before), "after": to_percent(after)}
    if abs(after - before) >= MUCH:
        return _("This moves the price from %(before)s to %(after)s. Are you sure?") % facts
    if panel.buys and panel.balance and quote.cost * 2 >= panel.balance:
        facts = {"cost": to_credits(quote.cost), "balance": to_credits(panel.balance)}
        return _("This spends %(cost)s of your %(balance)s credits. Are you sure?") % facts
    return ""
