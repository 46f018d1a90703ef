"""One's portfolio: what it is worth, what is held, what was settled, and how money moved."""

from typing import Any, Final, NamedTuple

from django.http import HttpResponse, StreamingHttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from markets.infra.database import one_snapshot
from markets.models import Market, Position
from markets.presenters.chart import money_chart
from markets.presenters.export import Export, csv_chunks
from markets.presenters.portfolio import figures, present_statement_row
from markets.selectors import portfolio as selectors
from markets.selectors.portfolio import Held
from markets.selectors.worth import worth_of
from markets.web.pages.own import OwnRequest, one_page, own

ROWS: Final = 30
MOVEMENTS: Final = 50


class Row(NamedTuple):
    """Shares that are held. `price` in millionths, the rest in micro-credits."""

    position: Position
    market: Market
    price: int
    worth: int
    profit: int


class SettledRow(NamedTuple):
    market: Market
    held: Held


@require_safe
@own
def portfolio(request: OwnRequest) -> HttpResponse:
    listed = _settled if request.GET.get("show") == "settled" else _open
    with one_snapshot():  # so that the rows add up to the figures above them
        worth, rows = worth_of(request.user, now=timezone.now()), listed(request)
    context = {
        "worth": worth,
        "today": worth.total - worth.day_ago,
        "since": worth.total - worth.at_first,
        **rows,
    }
    if worth.line:
        start, end = worth.moments[0], worth.moments[-1]
        context["chart"] = money_chart(start, end, _("Worth"), worth.line)
    return render(request, "markets/portfolio.html", context)


def _open(request: OwnRequest) -> dict[str, Any]:
    listed = one_page(request, selectors.open_positions(request.user), ["-id"], ROWS)
    rows = [_row(position) for position in listed.items]
    # what the figures above hold beside the rows, so that live rows move them too
    return {
        "show": "open",
        "rows": rows,
        "next": listed.next,
        "in_rows": sum(r.worth for r in rows),
    }


def _row(position: Position) -> Row:
    of = figures(position)
    return Row(position, position.market, of["price"], of["value"], of["open_profit"])


def _settled(request: OwnRequest) -> dict[str, Any]:
    order = ["-updated_at", "-id"]
    listed = one_page(request, selectors.settled_markets(request.user), order, ROWS)
    held = selectors.in_markets(request.user, listed.items)
    rows = [SettledRow(market, held[market.pk]) for market in listed.items]
    return {"show": "settled", "rows": rows, "next": listed.next, "in_rows": 0}


@require_safe
@own
def statement(request: OwnRequest) -> HttpResponse:
    listed = one_page(request, selectors.told_statement(request.user), ["-id"], MOVEMENTS)
    context = {"postings": listed.items, "next": listed.next, "show": "statement"}
    return render(request, "markets/statement.html", context)


STATEMENT: Final = Export(
    columns=("at", "kind", "market", "side", "shares", "outcome", "note", "amount", "balance"),
    amounts=frozenset({"shares", "amount", "balance"}),
    present=present_statement_row,
    load=selectors.told_postings,
)


@require_safe
@own
def statement_csv(request: OwnRequest) -> StreamingHttpResponse:
    """Stream all of the statement, oldest first, with exact amounts."""
    chunks = csv_chunks(STATEMENT, selectors.statement(request.user))
    answer = StreamingHttpResponse(chunks, content_type="text/csv; charset=utf-8")
    answer["Content-Disposition"] = 'attachment; filename="statement.csv"'
    return answer
