"""`manage.py watch`, as a process of its own on the public stream of a real server."""

import pytest

from markets.services import catalogue
from tests.support.clock import NOW
from tests.support.processes import Process, wait_for


@pytest.fixture
def watching(server):
    begun = []

    def watch(*arguments):
        process = Process(
            "manage",
            "watch",
            *arguments,
            "--url",
            server.url,
            COLUMNS="140",
            LINES="40",
            TERM="xterm",
            FORCE_COLOR="1",
        )
        begun.append(process)
        return process

    yield watch
    for process in begun:
        process.end()


def test_it_shows_the_markets_and_what_happens_to_them(watching, market):
    process = watching()
    wait_for(lambda: "Will it rain?" in process.output() and "50.0%" in process.output())
    catalogue.edit_market(
        market_id=market.pk, actor=None, now=NOW, changes={"name": "Will it snow?"}
    )
    wait_for(lambda: "Will it snow?" in process.output() and "market.updated" in process.output())


def test_an_unknown_market_is_a_sentence(watching):
    process = watching("4711")
    assert process.child.wait(15) == 1
    assert "There is no market 4711." in process.output()
