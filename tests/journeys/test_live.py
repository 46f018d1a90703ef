"""What moves, moves on every page that is open; and a page that cannot know says so, and heals."""

from __future__ import annotations

import contextlib
import json
import re
import socket
import threading
import time

import httpx
from django.utils import timezone

from markets.domain.amounts import MICRO, to_credits, to_percent
from markets.domain.orders import Order
from markets.models import Market
from markets.services import resolution, trading
from tests.support import factory
from tests.support.browser import needs_chromium, picture, sign_in_by_hand
from tests.support.people import bearer, key_for, person
from tests.support.processes import Server, wait_for
from tests.support.proxy import proxied

pytestmark = needs_chromium

PATIENCE = 30_000  # ms, for what takes seconds on a machine that does little else
PAGE = "/markets/will-it-rain"


def live(page, timeout=PATIENCE):
    page.locator(".pulse.live").wait_for(timeout=timeout)


def number(page):
    return page.locator(".number.large [data-price]").inner_text()


def price():
    return to_percent(Market.objects.get(name="Will it rain?").priced()[0][1])


def others_trade(amount=20, label="Yes", name="Will it rain?"):
    market = Market.objects.get(name=name)
    outcome = market.outcomes.get(label=label)
    other = person(f"other{time.monotonic_ns()}")
    return factory.trade(
        other, market, factory.order(outcome, amount=amount * MICRO), now=timezone.now()
    )[0]


def opened(page, server, path=PAGE):
    page.goto(f"{server.url}{path}")
    live(page)
    return page


@contextlib.contextmanager
def quiet(browser, **options):
    """Pages of a context whose connection fails: what the console says of that is no fault of the page."""
    context = browser.new_context(**options)
    context.set_default_timeout(PATIENCE)
    yield context
    context.close()


# --- Within a second ---

WATCHED = {
    "number": ".number.large [data-price]",
    "chart": "[data-line]",
    "tape": ".tape",
    "traded": ".facts [data-volume]",
    "traders": ".facts [data-traders]",
    "worth": "[data-worth]",
}
WATCH = """watched => {
    window.movedAt = {};
    for (const [name, selector] of Object.entries(watched)) {
        const note = () => { window.movedAt[name] ??= performance.timeOrigin + performance.now(); };
        new MutationObserver(note).observe(document.querySelector(selector), {childList: true, characterData: true, subtree: true, attributes: true});
    }
}"""


def test_a_trade_in_one_browser_moves_everything_in_another_within_a_second(
    server, market, bob, page
):
    """Timed on one clock: from the answer of the API to the change in the page; the fastest of three, since others work here."""
    factory.trade(bob, market, factory.order(market.outcomes.first(), amount=10 * MICRO))
    sign_in_by_hand(page, server, "bob", to=PAGE)
    live(page)
    key = key_for(person("carol"), "read", "trade")
    took = []
    must = set(WATCHED)
    for n in range(3):
        page.evaluate(WATCH, WATCHED)
        answer = httpx.post(
            f"{server.url}/api/v1/markets/{market.pk}/trades",
            headers=bearer(key),
            json={
                "outcome_id": market.outcomes.first().pk,
                "side": "buy",
                "amount": "12",
                "client_order_id": f"live-{n}",
            },
        )
        sent = time.time() * 1000
        assert answer.status_code == 201, answer.text
        wait_for(lambda must=must: must <= set(page.evaluate("window.movedAt")), 15)
        moved = page.evaluate("window.movedAt")
        took.append(max(moved[name] for name in must) - sent)
        must = set(WATCHED) - {"traders"}  # one more, once
    assert min(took) < 1000, took
    read = httpx.get(f"{server.url}/api/v1/markets/{market.pk}").json()
    assert number(page) == price()
    assert page.locator(".facts [data-volume]").inner_text() == to_credits(
        round(float(read["volume"]) * MICRO)
    )
    assert page.locator(".facts [data-traders]").inner_text() == "2"
    row = page.locator(".tape li").first.inner_text()
    assert "for 12 cr" in row
    live_rows = page.locator(".tape li").all_inner_texts()
    shown = page.locator("[data-worth]").inner_text()
    page.reload()
    assert page.locator("[data-worth]").inner_text() == shown
    assert [text.split("·")[0] for text in page.locator(".tape li").all_inner_texts()] == [
        text.split("·")[0] for text in live_rows
    ], "the rows read the same as those of the server"
    picture(page, "live")


def test_a_card_of_the_list_moves(server, market, page):
    opened(page, server, "/")
    others_trade()
    page.locator(".card [data-price]").get_by_text(price()).wait_for()
    page.locator(".card .change.up").wait_for()


# --- Back ---


def test_back_shows_the_current_price_and_goes_on_living(server, market, make_market, page):
    make_market("Will it snow?")
    opened(page, server)
    page.get_by_role("link", name="Bellwether").first.click()
    page.wait_for_url(f"{server.url}/")
    others_trade()
    page.go_back()
    page.locator(".number.large").get_by_text(price()).wait_for()
    live(page)
    others_trade()
    page.locator(".number.large").get_by_text(price()).wait_for()
    page.go_forward()
    page.locator(".card [data-price]").get_by_text(price()).wait_for()


def test_a_page_that_was_frozen_and_comes_back_catches_up(server, market, page):
    """As from the back/forward cache, which this browser has not: the events that it would fire."""
    opened(page, server)
    page.evaluate("dispatchEvent(new PageTransitionEvent('pagehide', {persisted: true}))")
    assert page.locator(".pulse").inner_text() != "Live"
    others_trade()
    page.evaluate("dispatchEvent(new PageTransitionEvent('pageshow', {persisted: true}))")
    page.locator(".number.large").get_by_text(price()).wait_for()
    live(page)


# --- Trouble ---


def test_a_server_that_is_killed_and_started_again_heals_the_pages(world, market, browser):
    first = Server()
    try:
        with quiet(browser) as context:
            page = opened(context.new_page(), first)
            home = opened(context.new_page(), first, "/")
            page.get_by_label("Spend").fill("25")
            first.child.kill()
            first.child.wait()
            for tab in (page, home):
                tab.locator(".pulse.away").wait_for()
            picture(page, "away")
            others_trade()
            second = Server(port=first.port)
            try:
                for tab in (page, home):
                    live(tab, 60_000)
                    tab.locator("[data-price]").first.get_by_text(price()).wait_for()
                assert page.get_by_label("Spend").input_value() == "25"
                page.get_by_text("Pays if right").wait_for()
            finally:
                second.end()
    finally:
        first.end()


def test_a_network_that_falls_silent_is_not_live_for_long(server, market, browser):
    with proxied(server.port) as proxy, quiet(browser) as context:
        page = context.new_page()
        page.goto(f"http://127.0.0.1:{proxy.port}{PAGE}")
        live(page)
        proxy.speaking.clear()  # all that is there, and what comes
        cut = time.monotonic()
        others_trade()
        page.locator(".pulse.away").wait_for(timeout=40_000)
        assert time.monotonic() - cut < 25, "20 s, and what this machine takes"
        page.locator(".pulse").get_by_text("As of").wait_for(timeout=60_000)
        picture(page, "as-of")
        proxy.speaking = threading.Event()
        proxy.speaking.set()
        live(page, 60_000)
        page.locator(".number.large").get_by_text(price()).wait_for()


class Refusing:
    """A proxy that answers 503 to everything for as long as it is told to."""

    def __init__(self, port):
        self.target, self.refusing, self.refused = port, False, 0
        self.open = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def refuse(self):
        self.refusing = True
        for one in self.open:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                client, _ = self.listener.accept()
                if self.refusing:
                    self.refused += 1
                    threading.Thread(target=self._refuse, args=(client,), daemon=True).start()
                    continue
                server = socket.create_connection(("127.0.0.1", self.target))
                self.open += [client, server]
                for pair in ((client, server), (server, client)):
                    threading.Thread(target=self._pass_on, args=pair, daemon=True).start()

    @staticmethod
    def _refuse(client):
        with contextlib.suppress(OSError):
            client.recv(65536)
            client.sendall(
                b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
            )
        client.close()

    @staticmethod
    def _pass_on(source, sink):
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)


def test_a_proxy_that_answers_503_for_a_while_does_not_end_it(server, market, browser):
    proxy = Refusing(server.port)
    with quiet(browser) as context:
        page = context.new_page()
        page.goto(f"http://127.0.0.1:{proxy.port}{PAGE}")
        live(page)
        proxy.refuse()
        page.locator(".pulse.away").wait_for()
        wait_for(lambda: page.evaluate("1") and proxy.refused >= 3, 30)
        others_trade()
        proxy.refusing = False
        live(page, 60_000)
        page.locator(".number.large").get_by_text(price()).wait_for()
    proxy.listener.close()


def test_a_hidden_tab_closes_its_socket_and_catches_up_when_it_is_shown(server, market, page):
    page.clock.install()
    page.add_init_script(
        """window.sockets = [];
        const Native = WebSocket;
        window.WebSocket = class extends Native {
            constructor(...all) {
                super(...all);
                window.sockets.push(this);
                this.addEventListener("message", () => { window.heard = (window.heard ?? 0) + 1; });
            }
        };
        window.WebSocket.OPEN = 1;
        let hidden = false;
        Object.defineProperty(document, "hidden", {get: () => hidden});
        window.hide = value => { hidden = value; document.dispatchEvent(new Event("visibilitychange")); };"""
    )
    opened(page, server)
    unclosed = "sockets.filter(one => one.readyState < 2).length"
    page.evaluate("hide(true)")
    for _ in range(2):
        before = page.evaluate("heard")
        page.clock.run_for(10_000)
        wait_for(lambda: page.evaluate("heard") > before)  # noqa: B023
    assert page.evaluate(unclosed) == 1, "a glance at another tab costs nothing"
    page.clock.run_for(15_000)
    wait_for(lambda: page.evaluate(unclosed) == 0)
    assert page.locator(".pulse").inner_text() != "Live"
    others_trade()
    page.evaluate("hide(false)")
    wait_for(lambda: page.clock.run_for(500) or page.locator(".pulse.live").count())
    wait_for(lambda: page.clock.run_for(100) or number(page) == price())


def test_nine_tabs_are_live_at_once_and_a_tenth_page_loads(server, market, browser):
    """HTTP/1.1 has six connections a host and browser."""
    with quiet(browser) as context:
        tabs = [opened(context.new_page(), server, PAGE if n % 2 else "/") for n in range(9)]
        others_trade()
        for tab in tabs:
            tab.locator("[data-price]").first.get_by_text(price()).wait_for()
        tenth = context.new_page()
        tenth.goto(f"{server.url}{PAGE}", timeout=PATIENCE)
        assert number(tenth) == price()


# --- A busy market ---

BUSY_SECONDS = 6
A_SECOND = 30  # trades
LONGEST_MS = 50
TRACED = ["toplevel", "devtools.timeline", "disabled-by-default-devtools.timeline", "__metadata"]


def own_tasks(trace):
    """How long the tasks of the page's main thread took, in ms of its own time: the kernel's clock of the thread, which
    counts what the throttle adds, and not what other processes of this machine take from it.
    """
    events = json.loads(trace)["traceEvents"]
    main = {
        (event["pid"], event["tid"])
        for event in events
        if event["name"] == "thread_name" and event["args"]["name"] == "CrRendererMain"
    }
    return [
        event["tdur"] / 1000
        for event in events
        if event["name"].endswith("RunTask")
        and (event["pid"], event["tid"]) in main
        and "tdur" in event
    ]


def busy(page, market, trader, round_):
    """Trade thirty times a second under the eyes of the page; return the times of its tasks."""
    yes, no = (outcome.pk for outcome in factory.yes_no(market))
    page.context.browser.start_tracing(page=page, categories=TRACED)
    begun, made = time.monotonic(), 0
    while (passed := time.monotonic() - begun) < BUSY_SECONDS:
        if made >= passed * A_SECOND:
            time.sleep(0.005)
            continue
        trading.place_trade(
            market_id=market.pk,
            trader=trader,
            order=Order(outcome_id=yes if made // 20 % 2 else no, side="buy", amount=2 * MICRO),
            client_order_id=f"busy-{round_}-{made}",
            now=timezone.now(),
        )
        made += 1
    wait_for(lambda: number(page) == price())
    assert made >= BUSY_SECONDS * A_SECOND * 0.6, f"this machine places only {made} trades"
    tasks = own_tasks(page.context.browser.stop_tracing())
    assert len(tasks) > 100, "the trace has the page's tasks"
    return tasks


def test_thirty_trades_a_second_leave_the_page_smooth(server, make_market, page):
    """No task above 50 ms at a CPU four times slower; the best of three, since others work here."""
    market = make_market("Will it rain?", liquidity=5_000 * MICRO)
    trader = person("busy")
    opened(page, server)
    page.evaluate(
        """() => { window.changes = 0;
            new MutationObserver(() => window.changes++).observe(document.querySelector(".tape"), {childList: true}); }"""
    )
    cdp = page.context.new_cdp_session(page)
    cdp.send("Emulation.setCPUThrottlingRate", {"rate": 4})
    longest = []
    while len(longest) < 3 and min(longest, default=LONGEST_MS) >= LONGEST_MS:
        longest.append(max(busy(page, market, trader, len(longest))))
    assert min(longest) < LONGEST_MS, longest
    assert page.evaluate("window.changes") >= BUSY_SECONDS, "they are shown as they come"
    assert page.locator(".tape li").count() == 12
    length = len(page.locator("[data-line]").first.get_attribute("d"))
    assert length < 40 * (BUSY_SECONDS + 10) * len(longest), "a step a second at most"


def test_what_somebody_types_survives_all_that_moves(server, market, bob, page):
    sign_in_by_hand(page, server, "bob", to=PAGE)
    live(page)
    page.evaluate("document.querySelector('#amount').mark = 'the same field'")
    page.get_by_label("Spend").press_sequentially("2")
    others_trade()
    page.locator(".number.large").get_by_text(price()).wait_for()
    factory.edit_now(
        market, reason="Clearer.", description="Another text.", name="Will it really rain?"
    )
    page.get_by_role("heading", name="Will it really rain?").wait_for()
    page.keyboard.type("5")
    assert page.get_by_label("Spend").input_value() == "25"
    assert page.evaluate("document.activeElement.mark") == "the same field"
    button = page.get_by_role("button", name="Buy Yes for 25")
    button.wait_for()
    button.focus()
    before = page.locator("dl.quote").inner_text()
    market.refresh_from_db()
    others_trade(40, name="Will it really rain?")
    wait_for(lambda: page.locator("dl.quote").inner_text() != before)
    assert page.evaluate("document.activeElement.closest('#place') !== null"), "the focus stays"


# --- What staff do ---


def test_an_edit_shows_without_a_reload_and_under_what_was_changed(server, market, bob, page):
    others_trade()
    opened(page, server)
    page.evaluate("window.same = true")
    market.refresh_from_db()
    factory.edit_now(market, reason="Clearer.", resolution_criteria="As the office says.")
    page.get_by_role("heading", name="What was changed").wait_for()
    edits = page.locator("#edits")
    assert "As the office says." in edits.inner_text()
    assert "Clearer." in edits.inner_text()
    picture(page, "edited")
    assert page.evaluate("window.same")


def test_a_resolution_shows_and_says_what_it_paid_me(server, market, bob, alice, page):
    bought, _ = factory.trade(
        bob, market, factory.order(market.outcomes.first(), amount=25 * MICRO)
    )
    sign_in_by_hand(page, server, "bob", to=PAGE)
    live(page)
    page.evaluate("window.same = true")
    resolution.resolve_market(
        market_id=market.pk,
        actor=alice,
        now=timezone.now(),
        weights={market.outcomes.first().pk: MICRO},
        note="It poured.",
        evidence_url="https://example.org/rain",
    )
    page.get_by_role("heading", name=re.compile("Resolved: Yes")).wait_for()
    paid = to_credits(bought.shares)
    page.get_by_text(f"It paid you {paid} cr; you had put in ").wait_for()
    assert "It poured." in page.locator("#settlement").inner_text()
    assert not page.get_by_role("button", name=re.compile("^Buy")).count()
    left = to_credits(1000 * MICRO - bought.cost + bought.shares)
    wait_for(lambda: page.locator("#balance").inner_text() == left)
    picture(page, "resolved")
    assert page.evaluate("window.same"), "without a reload"


def test_what_changes_while_the_page_is_drawn_anew_is_drawn_next(server, market, page):
    """Forced: the answer to the first edit is held back until the second edit has been heard."""
    opened(page, server)
    held = []
    page.route(f"**{PAGE}", lambda route: route.continue_() if held else held.append(route))
    factory.edit_now(market, name="Will it hail?")
    while not held:
        page.wait_for_timeout(50)
    first = held[0].fetch()
    factory.edit_now(market, name="Will it snow?")
    market.refresh_from_db()
    page.locator(f'[data-live][data-seq="{market.seq}"]').wait_for(timeout=PATIENCE)
    page.wait_for_timeout(500)  # longer than a drawing waits to begin
    held[0].fulfill(response=first)
    page.locator("h1", has_text="Will it snow?").wait_for(timeout=PATIENCE)
