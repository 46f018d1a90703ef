"""Trading through the API."""

import json

import pytest

from markets.domain.amounts import MICRO, to_micro
from markets.domain.orders import Order
from markets.infra.threads import in_thread
from markets.models import Account, Candle, Trade
from markets.services import keys, lifecycle, trading
from tests.support.clock import NOW
from tests.support.factory import state
from tests.support.people import bearer, key_for
from tests.support.problems import check_problem


@pytest.fixture
async def trader(client, bob):
    """Bob, through a key that trades."""
    client.headers.update(bearer(await in_thread(key_for, bob, "read", "trade")))
    return client


async def ids(market):
    return await in_thread(lambda: [outcome.pk for outcome in market.outcomes.all()])


async def test_a_quote_is_what_the_trade_then_does(trader, market):
    yes, no = await ids(market)
    body = {"outcome_id": yes, "side": "buy", "shares": "25.5"}
    quote = (await trader.post(f"/api/v1/markets/{market.pk}/quote", json=body)).json()
    assert list(quote) == ["shares", "cost", "average_price", "price_before", "price_after", "seq"]
    answer = await trader.post(
        f"/api/v1/markets/{market.pk}/trades", json={**body, "client_order_id": "a"}
    )
    assert answer.status_code == 201
    placed = answer.json()
    assert {name: placed["trade"][name] for name in ("shares", "cost", "price_after")} == {
        name: quote[name] for name in ("shares", "cost", "price_after")
    }
    assert placed["trade"]["seq"] == quote["seq"] + 1
    assert placed["position"] == {
        "outcome_id": yes,
        "shares": "25.5",
        "cost_basis": quote["cost"],
        "realised_profit": "0",
    }
    assert to_micro(placed["balance"]) == 1000 * MICRO - to_micro(quote["cost"])
    again = await trader.post(
        f"/api/v1/markets/{market.pk}/trades", json={**body, "client_order_id": "a"}
    )
    assert (again.status_code, again.json()) == (200, placed)
    other = await trader.post(
        f"/api/v1/markets/{market.pk}/trades", json={**body, "shares": "1", "client_order_id": "a"}
    )
    check_problem(other, 409, "idempotency_conflict")
    shown = (await trader.get(f"/api/v1/markets/{market.pk}")).json()
    assert (shown["volume"], shown["volume_24h"], shown["trade_count"], shown["trader_count"]) == (
        quote["cost"],
        quote["cost"],
        1,
        1,
    )


async def test_an_opinion_is_an_order(trader, market):
    yes, _ = await ids(market)
    url = f"/api/v1/markets/{market.pk}"
    up = {"outcome_id": yes, "side": "buy", "target_price": "0.62"}
    quote = (await trader.post(f"{url}/quote", json=up)).json()
    assert (quote["price_before"], quote["price_after"]) == ("0.5", "0.62")
    body = {**up, "max_cost": quote["cost"], "client_order_id": "a"}
    placed = (await trader.post(f"{url}/trades", json=body)).json()
    assert {name: placed["trade"][name] for name in quote if name != "seq"} == {
        name: quote[name] for name in quote if name != "seq"
    }
    again = await trader.post(f"{url}/trades", json=body)
    assert (again.status_code, again.json()) == (200, placed)
    beyond = await trader.post(f"{url}/quote", json=up)
    check_problem(beyond, 409, "target_reached")
    assert beyond.json()["detail"].startswith("The price is 62% already")
    down = {**up, "side": "sell", "target_price": "0.55", "client_order_id": "b"}
    guarded = await trader.post(f"{url}/trades", json={**down, "min_price": "0.6"})
    check_problem(guarded, 409, "slippage_exceeded")
    assert "min_price is 0.6" in guarded.json()["detail"]
    sold = (await trader.post(f"{url}/trades", json={**down, "min_price": "0.58"})).json()
    assert sold["trade"]["price_after"] == "0.55"
    lacking = await trader.post(
        f"{url}/trades", json={**down, "target_price": "0.4", "client_order_id": "c"}
    )
    check_problem(lacking, 409, "insufficient_shares")


async def test_the_api_shows_amounts_that_parse_back_to_the_exact_integers(trader, market, bob):
    yes, _ = await ids(market)
    body = {"outcome_id": yes, "side": "buy", "amount": "12.345678", "client_order_id": "a"}
    shown = (await trader.post(f"/api/v1/markets/{market.pk}/trades", json=body)).json()
    trade, balance = await in_thread(
        lambda: (Trade.objects.get(), Account.objects.get(user=bob).balance)
    )
    assert [to_micro(shown["trade"][n]) for n in ("shares", "cost", "price_before", "price_after")] == [
        trade.shares, trade.cost, trade.price_before, trade.price_after
    ]  # fmt: skip
    assert to_micro(shown["balance"]) == balance


async def test_what_one_has(trader, market, bob):
    yes, no = await ids(market)
    url = f"/api/v1/markets/{market.pk}/trades"
    first = (
        await trader.post(
            url, json={"outcome_id": yes, "side": "buy", "shares": "10", "client_order_id": "a"}
        )
    ).json()
    await trader.post(
        url, json={"outcome_id": yes, "side": "sell", "shares": "4", "client_order_id": "b"}
    )
    me = (await trader.get("/api/v1/me")).json()
    (held,) = (await trader.get("/api/v1/me/positions")).json()["items"]
    assert (held["shares"], held["label"], held["slug"]) == ("6", "Yes", market.slug)
    assert to_micro(held["open_profit"]) == to_micro(held["value"]) - to_micro(held["cost_basis"])
    assert (me["username"], me["positions_value"], me["open_profit"]) == (
        "bob",
        held["value"],
        held["open_profit"],
    )
    own = (await trader.get("/api/v1/me/trades")).json()["items"]
    assert [trade["client_order_id"] for trade in own] == ["b", "a"]
    statement = (await trader.get("/api/v1/me/ledger")).json()["items"]
    assert [line["kind"] for line in statement] == ["trade", "trade", "grant"]
    assert statement[0]["balance"] == me["balance"]
    assert statement[1]["amount"] == f"-{first['trade']['cost']}"
    assert sum(to_micro(line["amount"]) for line in statement) == to_micro(me["balance"])


async def test_trades_are_listed_without_saying_whose_they_were(trader, market):
    yes, _ = await ids(market)
    for number in range(3):
        body = {"outcome_id": yes, "side": "buy", "shares": "1", "client_order_id": f"o{number}"}
        await trader.post(f"/api/v1/markets/{market.pk}/trades", json=body)
    first = (await trader.get(f"/api/v1/markets/{market.pk}/trades?limit=2")).json()
    rest = (
        await trader.get(f"/api/v1/markets/{market.pk}/trades?limit=2&cursor={first['next']}")
    ).json()
    seqs = [trade["seq"] for trade in first["items"] + rest["items"]]
    assert seqs == [4, 3, 2]
    assert "bob" not in str(first)
    assert "client_order_id" not in first["items"][0]


BAD = [
    {"shares": "0"}, {"shares": "-1"}, {"shares": "NaN"}, {"shares": "Infinity"}, {"shares": "1e400"}, {"shares": "1." + "0" * 30},
    {"shares": "1" + "0" * 30}, {"shares": 1}, {"shares": None}, {"shares": "1", "amount": "1"}, {"shares": "1", "side": "short"},
    {"shares": "1", "client_order_id": "x" * 10_000}, {"shares": "1", "client_order_id": ""}, {"shares": "1", "client_order_id": None},
    {"shares": "1", "outcome_id": 0}, {"shares": "1", "outcome_id": 10**30}, {"shares": "1", "outcome_id": 4711},
    {"target_price": "0"}, {"target_price": "1"}, {"target_price": "0.6", "shares": "1"}, {"target_price": 0.6}, {"target_price": "0.4999999"},
    {"shares": "1", "min_price": "0.5"}, {"target_price": "0.6", "min_price": "0.5"}, {"shares": "1", "max_cost": "-1"}, {"shares": "1", "min_proceeds": "1"}, {"shares": "0.000001"}, {"shares": "1", "colour": "red"},
]  # fmt: skip


@pytest.mark.parametrize("wrong", BAD, ids=[json.dumps(wrong)[:40] for wrong in BAD])
async def test_an_order_that_makes_no_sense_is_a_problem_and_touches_nothing(
    trader, market, bob, wrong
):
    yes, _ = await ids(market)
    await trader.get("/api/v1/me")
    before = await in_thread(state)
    body = {"outcome_id": yes, "side": "buy", "client_order_id": "a", **wrong}
    answer = await trader.post(f"/api/v1/markets/{market.pk}/trades", json=body)
    check_problem(answer, 422, answer.json()["code"])
    assert await in_thread(state) == before


async def test_refusals_have_their_codes(trader, market, make_market):
    yes, no = await ids(market)
    url = f"/api/v1/markets/{market.pk}/trades"

    async def code(**body):
        answer = await trader.post(
            url, json={"outcome_id": yes, "side": "buy", "client_order_id": "a", **body}
        )
        return answer.status_code, answer.json()["code"]

    assert await code(shares="1", max_cost="0.1") == (409, "slippage_exceeded")
    assert await code(shares="700") == (409, "price_out_of_range")
    assert await code(side="sell", shares="1") == (409, "insufficient_shares")
    big = await in_thread(make_market, "Big?", liquidity=10**12)
    first, _ = await ids(big)
    answer = await trader.post(
        f"/api/v1/markets/{big.pk}/trades",
        json={"outcome_id": first, "side": "buy", "amount": "1001", "client_order_id": "b"},
    )
    check_problem(answer, 409, "insufficient_funds")
    await in_thread(lifecycle.pause_market, market_id=market.pk, actor=None, now=NOW)
    assert await code(shares="1") == (409, "market_not_active")
    quote = await trader.post(
        f"/api/v1/markets/{market.pk}/quote", json={"outcome_id": yes, "side": "buy", "shares": "1"}
    )
    check_problem(quote, 409, "market_not_active")


async def test_only_a_key_that_trades_trades(client, market, bob):
    yes, _ = await ids(market)
    body = {"outcome_id": yes, "side": "buy", "shares": "1", "client_order_id": "a"}
    url = f"/api/v1/markets/{market.pk}/trades"
    check_problem(await client.post(url, json=body), 401, "unauthenticated")
    check_problem(
        await client.post(url, json=body, headers=bearer(await in_thread(key_for, bob, "read"))),
        403,
        "forbidden",
    )
    key, secret = await in_thread(keys.issue_key, user=bob, now=NOW, name="x", scopes=["trade"])
    await in_thread(keys.revoke_key, user=bob, key_id=key.pk, now=NOW)
    check_problem(await client.post(url, json=body, headers=bearer(secret)), 401, "unauthenticated")
    assert await in_thread(Trade.objects.count) == 0


async def test_staff_sees_who_would_be_paid_before_resolving(staff, market, bob):
    yes, _ = await ids(market)
    buy = Order(outcome_id=yes, side="buy", shares=10 * MICRO)
    await in_thread(
        trading.place_trade,
        market_id=market.pk,
        trader=bob,
        order=buy,
        client_order_id="a",
        now=NOW,
    )
    answer = await staff.post(
        f"/api/v1/markets/{market.pk}/resolve", json={"outcome_id": yes, "dry_run": True}
    )
    preview = answer.json()
    assert preview["payouts"] == [{"user_id": bob.pk, "amount": "10"}]
    assert (await staff.get(f"/api/v1/markets/{market.pk}")).json()["status"] == "active"


async def test_prices_over_time(client, market, bob):
    from datetime import timedelta

    yes, no = await ids(market)
    prices = []

    def write():
        for hour in range(6):
            buy = Order(outcome_id=yes, side="buy", shares=10 * MICRO)
            at = NOW + timedelta(hours=hour, minutes=30)
            made, _ = trading.place_trade(
                market_id=market.pk, trader=bob, order=buy, client_order_id=f"o{hour}", now=at
            )
            prices.append(made)

    await in_thread(write)
    until = {"from": "2026-03-01T12:00:00Z", "to": "2026-03-01T18:00:00Z", "points": 7}
    history = (await client.get(f"/api/v1/markets/{market.pk}/history", params=until)).json()[
        "items"
    ]
    shown = [to_micro(point["prices"][str(yes)]) for point in history]
    assert shown == [500_000, *(trade.price_after for trade in prices)]
    assert all(sum(map(to_micro, point["prices"].values())) == MICRO for point in history)
    start, end = int(NOW.timestamp()), int((NOW + timedelta(days=1)).timestamp())
    query = {"outcome_id": yes, "start_ts": start, "end_ts": end}
    hours = (await client.get(f"/api/v1/markets/{market.pk}/candlesticks", params=query)).json()[
        "items"
    ]
    assert [to_micro(candle["close"]) for candle in hours] == [
        trade.price_after for trade in prices
    ]
    assert [to_micro(candle["open"]) for candle in hours] == [
        trade.price_before for trade in prices
    ]
    days = (
        await client.get(
            f"/api/v1/markets/{market.pk}/candlesticks",
            params={**query, "period_interval": "1440", "start_ts": start - 43200},
        )
    ).json()["items"]
    assert len(days) == 1
    assert (to_micro(days[0]["open"]), to_micro(days[0]["close"])) == (
        500_000,
        prices[-1].price_after,
    )
    assert to_micro(days[0]["volume"]) == sum(trade.cost for trade in prices)
    assert await in_thread(Candle.objects.count) == 2 * 2 * 6
    for wrong in (
        {"points": 1},
        {"points": 1001},
        {"from": "2026-03-02T00:00:00Z", "to": "2026-03-01T00:00:00Z"},
    ):
        check_problem(
            await client.get(f"/api/v1/markets/{market.pk}/history", params=wrong),
            422,
            "validation_error",
        )
    for wrong in (
        {"period_interval": "5"},
        {"end_ts": start},
        {"end_ts": 250_000_000_000},
        {"outcome_id": 4711},
    ):
        check_problem(
            await client.get(
                f"/api/v1/markets/{market.pk}/candlesticks", params={**query, **wrong}
            ),
            422,
            "validation_error",
        )


async def test_reading_what_one_has_opens_no_account(client, bob):
    key = await in_thread(key_for, bob)
    answer = await client.get("/api/v1/me", headers=bearer(key))
    assert (answer.status_code, answer.json()["balance"]) == (200, "1000")
    assert not await in_thread(Account.objects.exists)


async def test_a_first_trade_that_is_refused_opens_no_account(trader, market):
    yes, _ = await ids(market)
    order = {
        "outcome_id": yes,
        "side": "buy",
        "shares": "1",
        "max_cost": "0.01",
        "client_order_id": "a",
    }
    answer = await trader.post(f"/api/v1/markets/{market.pk}/trades", json=order)
    check_problem(answer, 409, "slippage_exceeded")
    assert not await in_thread(Account.objects.filter(kind="trader").exists)
