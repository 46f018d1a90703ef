import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.hashers import make_password
from django.core.management.base import BaseCommand, CommandError
from django.db import connection
from django.utils import timezone

from clients.people import PEOPLE
from markets.domain.amounts import MICRO, to_micro
from markets.domain.orders import Order
from markets.domain.text import OutcomeDraft
from markets.infra import broker
from markets.management.past import TRADER, Act, Past
from markets.models import Event, Market
from markets.services import catalogue, comments, lifecycle, resolution, trading

SAMPLE: Final = Path(__file__).resolve().parents[2] / "sample/markets.json"
COMMENTS: Final = SAMPLE.with_name("comments.json")
TEXTS: Final = ["external_id", "name", "description", "resolution_criteria", "category", "tags"]


class Command(BaseCommand):
    help = "Load the sample markets with weeks of trading. Those already there are left alone."

    def handle(self, **_options: Any) -> None:
        rows = json.loads(SAMPLE.read_text(encoding="utf-8"))
        samples = Market.objects.filter(external_id__in=[row["external_id"] for row in rows])
        known = samples.count()
        tell_again()
        if known < len(rows):
            Loader(rows, now=timezone.now()).run()
        loaded = len(rows) - known
        self.stdout.write(f"{loaded} sample markets loaded, {known} already there.")


class Loader:
    """Carries out the acts of the past, each in its own transaction and once.

    Each act is one event of its market. So the `seq` at which a market stands tells which acts an
    interrupted start has done, and the day on which the people joined tells when that was.
    """

    def __init__(self, rows: list[dict[str, Any]], *, now: datetime) -> None:
        self.rows = {row["external_id"]: row for row in rows}
        self.people, self.end = people(now.replace(microsecond=0))
        found = Market.objects.filter(external_id__in=self.rows).defer("search_vector")
        self.markets = {str(market.external_id): market for market in found}
        self.outcomes: dict[int, list[int]] = {}  # ids by market
        self.done = {name: market.seq for name, market in self.markets.items()}
        self.foreign: set[str] = set()  # imported by somebody else

    def run(self) -> None:
        said = json.loads(COMMENTS.read_text(encoding="utf-8"))
        past = Past(self.rows.values(), said, self.end, settings.STARTING_GRANT)
        with connection.cursor() as cursor:
            # what a crash of the server takes back, the next start does again
            cursor.execute("SET synchronous_commit = off")
        try:
            for number, act in enumerate(past.acts()):
                self.carry_out(number, act)
        finally:
            with connection.cursor() as cursor:
                cursor.execute("RESET synchronous_commit")

    def carry_out(self, number: int, act: Act) -> None:
        name = act.external_id
        known = self.markets.get(name)
        if act.verb == "create" and known and known.created_at != act.at:
            self.foreign.add(name)
        if name in self.foreign:
            return
        if self.done.get(name):
            self.done[name] -= 1
        elif act.verb == "create":
            self.markets[name] = self.create(self.rows[name], act.at)
        elif act.verb == "trade":
            self.trade(f"past-{number}", act)
        elif act.verb == "comment":
            self.comment(self.markets[name], act)
        else:
            self.move(self.markets[name], self.rows[name], act)

    def create(self, row: dict[str, Any], at: datetime) -> Market:
        return catalogue.create_market(
            actor=None,
            now=at,
            **{name: row[name] for name in TEXTS},
            outcomes=[
                OutcomeDraft(o["label"], to_micro(o["probability"])) for o in row["outcomes"]
            ],
            liquidity=to_micro(row["liquidity"]),
            open_at=self.end + timedelta(days=row["opens_in_days"]),
            close_at=self.end + timedelta(days=row["closes_in_days"]),
            status="draft" if row["status"] == "draft" else "scheduled",
            imported=True,
        )

    def trade(self, key: str, act: Act) -> None:
        market, facts = self.markets[act.external_id], dict(act.facts)
        trader = self.people[facts.pop("trader")]
        ids = self.outcomes.get(market.pk)
        if ids is None:
            ids = list(market.outcomes.values_list("pk", flat=True))
            self.outcomes[market.pk] = ids
        trading.place_trade(
            market_id=market.pk,
            trader=trader,
            order=Order(outcome_id=ids[facts.pop("outcome")], **facts),
            client_order_id=key,
            now=act.at,
        )

    def comment(self, market: Market, act: Act) -> None:
        # who answers answers the market's first comment
        first = market.comments.earliest("pk").pk if act.facts["answers"] else None
        author, said = self.people[act.facts["who"]], act.facts["said"]
        comments.write(market_id=market.pk, author=author, said=said, now=act.at, parent_id=first)

    def move(self, market: Market, row: dict[str, Any], act: Act) -> None:
        ids: dict[str, Any] = {"market_id": market.pk, "actor": None, "now": act.at}
        if act.verb == "open":
            lifecycle.open_market(**ids)
        elif act.verb == "edit":
            changes: Any = {k: v for k, v in act.facts.items() if k in TEXTS[1:]}
            if days := act.facts.get("closes_in_days"):
                changes["close_at"] = self.end + timedelta(days=days)
            catalogue.edit_market(changes=changes, reason=act.facts["reason"], **ids)
        elif act.verb == "pause":
            lifecycle.pause_market(**ids)
        elif act.verb == "close":
            lifecycle.close_market(**ids)
        elif act.verb == "resolve":
            resolution.resolve_market(
                weights={market.outcomes.get(label=row["resolves_to"]).pk: MICRO},
                evidence_url=row["evidence_url"],
                note=row["note"],
                approved=True,
                **ids,
            )
        else:
            resolution.cancel_market(note=row["note"], **ids)


def people(now: datetime) -> tuple[dict[str, Any], datetime]:
    """Return the traders by name, and the moment at which their past ends.

    That is `now` for new traders, and otherwise the moment at which an earlier start made them.

    None of them can sign in. Raise CommandError where some of the names belong to others.
    """
    users = get_user_model()._default_manager
    field = users.model.USERNAME_FIELD
    joined = {person.name: person.joined for person in PEOPLE}
    by_name = {getattr(u, field): u for u in users.filter(**{f"{field}__in": [*joined, TRADER]})}
    first = PEOPLE[0]
    if first.name not in by_name:
        if taken := sorted(joined.keys() & by_name):
            raise CommandError(f"The sample's traders need names that are taken: {taken}.")
        users.bulk_create(
            users.model(
                **{field: name},
                password=make_password(None),
                date_joined=now - timedelta(days=days),
            )
            for name, days in {TRADER: 40, **joined}.items()
            if name not in by_name
        )
        return people(now)
    return by_name, by_name[first.name].date_joined + timedelta(days=first.joined)


def tell_again() -> None:
    """Start the reactions to events that an interrupted start left without them."""
    lost = Event.objects.filter(pending=True, market__external_id__startswith="sample:")
    for event_id in lost.order_by("pk").values_list("pk", flat=True):
        broker.start(broker.REACT, event_id)
