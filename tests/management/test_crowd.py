"""The crowd trades through a real server."""

from django.core.management import call_command

from clients.people import PEOPLE
from markets.models import Trade
from markets.selectors import audit


def test_the_crowd_trades_through_the_api(server, make_market, capsys):
    for number in range(4):
        make_market(f"Market {number}?")
    call_command("crowd", server.url, traders=6, per_second=60, seconds=4)
    made = Trade.objects.count()
    assert f"{made} trades made." in capsys.readouterr().out
    assert made > 20
    assert len(set(Trade.objects.values_list("trader", flat=True))) > 3
    assert audit.breaches() == []


def test_the_crowd_goes_on_as_the_people_of_the_sample(server, make_market):
    make_market()
    call_command("crowd", server.url, sample=True, per_second=60, seconds=2)
    traders = set(Trade.objects.values_list("trader__username", flat=True))
    assert traders
    assert traders <= {person.name for person in PEOPLE}
