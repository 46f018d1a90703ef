"""What the API answers has the keys that its document promises, all of them and no other."""

from __future__ import annotations

import dataclasses
import types
import typing

import pytest
from ninja import Schema

from markets.events import payloads
from markets.infra.threads import in_thread
from markets.models import Market
from markets.services import comments, resolution
from markets.tasks import reactions
from markets.web.api.root import api
from markets.web.api.schemas.market import EventOut
from tests.support.clock import NOW
from tests.support.factory import order, trade, yes_no
from tests.support.people import bearer, key_for

PAYLOADS = {
    kind.kind: kind
    for kind in vars(payloads).values()
    if isinstance(kind, type) and hasattr(kind, "kind")
}


def names_of(kind):
    return [field.name for field in dataclasses.fields(kind)]


def compare(shape, value, where="answer"):
    """Raise AssertionError where the value has a key that the schema lacks, or the other way around."""
    origin = typing.get_origin(shape)
    if origin is typing.Annotated:
        compare(typing.get_args(shape)[0], value, where)
    elif origin in {typing.Union, types.UnionType}:
        shapes = [one for one in typing.get_args(shape) if one is not type(None)]
        if value is not None:
            errors = []
            for one in shapes:
                try:
                    return compare(one, value, where)
                except AssertionError as error:
                    errors.append(error)
            raise errors[0]
    elif origin is list:
        assert isinstance(value, list), where
        for item in value:
            compare(typing.get_args(shape)[0], item, f"{where}[]")
    elif isinstance(shape, type) and issubclass(shape, Schema):
        fields = {
            field.alias or name: field.annotation for name, field in shape.model_fields.items()
        }
        extra = set()
        if shape is EventOut:
            kind = PAYLOADS[value["type"]]
            absent = {"reason", "parent_id"} - set(value)  # where there is none
            extra = {name.rstrip("_") for name in names_of(kind)} - absent
            extra |= {"reason"} & set(value) | ({"trade_id"} if value["type"] == "trade" else set())
        assert set(value) == set(fields) | extra, f"{where}: {set(value) ^ (set(fields) | extra)}"
        for name, annotation in fields.items():
            compare(annotation, value[name], f"{where}.{name}")
    return None


@pytest.fixture
async def world_in_use(client, make_market, bob, alice, tmp_path, settings):
    """Addresses by operation, and the client with Alice's and Bob's keys."""
    settings.MEDIA_ROOT = tmp_path

    def fill():
        market = make_market(category="Weather", tags=["Wet"], source_url="https://example.org/x")
        settled = make_market("Snow?", resolution_criteria="As the office says.")
        for one in (market, settled):
            trade(bob, one, order(yes_no(one)[0]))
        weights = {yes_no(settled)[0].pk: 1_000_000}
        resolution.resolve_market(
            market_id=settled.pk, actor=alice, now=NOW, weights=weights, note="It did."
        )
        ids = {"market_id": market.pk, "now": NOW}
        reason, _ = comments.write(author=alice, said="It will.", **ids)
        comments.write(author=bob, said="Why?", parent_id=reason.pk, **ids)
        return (
            market,
            settled,
            key_for(alice, "read", "trade", "staff"),
            key_for(bob, "read", "trade"),
        )

    market, settled, staff, trader = await in_thread(fill)
    return market, settled, bearer(staff), bearer(trader)


def operations():
    """Every operation with a described answer: its name, method, path, and schema by status."""
    for prefix, router in api._routers:
        for path, view in router.path_operations.items():
            for operation in view.operations:
                for method in operation.methods:
                    yield (
                        operation.view_func.__name__,
                        method,
                        f"/api/v1{prefix}{path}",
                        operation.response_models,
                    )


def schema_of(models, status):
    model = models.get(status)
    return model and model.model_fields["response"].annotation


def calls(market, settled, report, key):
    """Body and query by operation; {} where the address is all."""
    yes = yes_no(market)[0].pk
    new = {"name": "New?", "status": "active"}
    return {
        "create_market": {"json": new},
        "edit_market": {"json": {"description": "More."}, "headers": {"If-Match": "1"}},
        "import_markets": {"json": [{"external_id": "a", "name": "Imported?"}]},
        "schedule_market": None,  # needs a draft: below
        "open_market": None,
        "pause_market": {"json": {}},
        "close_market": None,
        "cancel_market": None,
        "unresolve_market": {"json": {}, "market": settled.pk},
        "resolve_market": {"json": {"outcome_id": yes, "dry_run": True}},
        "write_comment": {"json": {"text": "It will, and soon."}},
        "edit_comment": {"json": {"text": "It will, I think."}},
        "report_comment": None,
        "quote": {"json": {"outcome_id": yes, "side": "buy", "shares": "1"}},
        "place_trade": {
            "json": {"outcome_id": yes, "side": "buy", "shares": "1", "client_order_id": "x"}
        },
        "candlesticks": {
            "params": {"outcome_id": yes, "start_ts": 0, "end_ts": 10**8, "period_interval": "1440"}
        },
        "create_report": {"json": {"kind": "calibration"}},
        "create_key": {"json": {"name": "bot"}},
        "revoke_key": None,
        "download_report": None,
        "get_report": {"report": report},
    }


ORDER = [
    "quote",
    "place_trade",
    "edit_market",
    "resolve_market",
    "pause_market",
    "unresolve_market",
]  # each leaves what the next needs


async def test_every_answer_has_the_keys_of_its_schema(client, world_in_use):
    market, settled, staff, trader = world_in_use
    made = await client.post("/api/v1/reports/", json={"kind": "calibration"}, headers=staff)
    report = made.json()["id"]
    await in_thread(reactions.build_report, report)
    wanted = await in_thread(calls, market, settled, report, None)
    hers = (await in_thread(market.comments.earliest, "pk")).pk
    compared = set()
    rank = {name: number for number, name in enumerate(ORDER)}
    for name, method, path, models in sorted(
        operations(), key=lambda one: (rank.get(one[0], -1), one[0])
    ):
        how = wanted.get(name, {})
        if how is None:
            continue
        how = dict(how)
        url = path.replace("{int:market_id}", str(how.pop("market", market.pk)))
        url = url.replace("{int:report_id}", str(how.pop("report", report)))
        url = url.replace("{int:comment_id}", str(hers))
        headers = {
            **(trader if "/me" in path or name == "place_trade" else staff),
            **how.pop("headers", {}),
        }
        answer = await client.request(method, url, headers=headers, **how)
        assert answer.status_code < 300, (name, answer.text)
        compare(schema_of(models, answer.status_code), answer.json(), name)
        compared.add(name)
    everything = {name for name, *_ in operations()}
    assert everything - compared == {name for name, how in wanted.items() if how is None}


async def test_the_answers_of_a_markets_life_have_them_too(staff):
    from markets.web.api.schemas.market import MarketOut

    for verbs in (
        ["schedule", "open", "close", "cancel"],
        ["open", "pause", "open", "close", "resolve", "unresolve"],
    ):
        body = {"name": "Rain?", "open_at": "2100-01-01T00:00:00Z"}
        made = (await staff.post("/api/v1/markets/", json=body)).json()
        for verb in verbs:
            sent = {"outcome_id": made["outcomes"][0]["id"]} if verb == "resolve" else {}
            answer = await staff.post(f"/api/v1/markets/{made['id']}/{verb}", json=sent)
            assert answer.status_code == 200, answer.text
            compare(MarketOut, answer.json(), verb)


async def test_a_draft_is_presented_like_any_other(staff, make_market):
    from markets.web.api.schemas.market import MarketOut

    market: Market = await in_thread(make_market, "Secret?", status="draft")
    compare(MarketOut, (await staff.get(f"/api/v1/markets/{market.pk}")).json())


@pytest.mark.parametrize("kind", PAYLOADS.values())
def test_a_payload_has_its_fields_and_no_other(kind):
    fields = dict.fromkeys(names_of(kind), "x")
    assert set(kind(**fields).as_json()) == {name.rstrip("_") for name in fields}
    with pytest.raises(TypeError):
        kind(**fields, colour="red")
    with pytest.raises(TypeError):
        kind(**dict(list(fields.items())[1:]) if "reason" not in fields else {})
