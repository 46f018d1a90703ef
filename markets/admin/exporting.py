"""Export a list of the admin as CSV or XLSX: all of its pages, as it is filtered and searched.

XLSX holds at most 32,767 characters a cell; openpyxl cuts longer texts.
"""

import os
import re
import tempfile
from collections.abc import AsyncIterator
from typing import IO, Any, Final

from django.contrib import messages
from django.contrib.admin.options import IncorrectLookupParameters
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import redirect
from openpyxl import Workbook
from unfold.admin import ModelAdmin
from unfold.decorators import action

from markets.domain.amounts import to_text
from markets.domain.permissions import Permission
from markets.infra.threads import in_thread
from markets.models import JournalEntry, Market, Position, Posting, Trade
from markets.presenters.export import Export, Row, csv_chunks, safe_cell
from markets.presenters.market import present_market
from markets.presenters.portfolio import present_position, present_posting
from markets.presenters.trading import present_own_trade

MOST_XLSX: Final = 50_000  # rows: a workbook is written before its first byte leaves
XLSX: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_BLOCK: Final = 65_536  # bytes
# characters that XML does not have
_NOT_XML: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


def _market(market: Market) -> Row:
    shown = present_market(market)
    outcomes = shown["outcomes"]
    resolution = shown["resolution"] or {"payouts": [], "resolved_at": None, "note": ""}
    labels = {outcome["id"]: outcome["label"] for outcome in outcomes}
    paid = [f"{labels[p['outcome_id']]} {p['weight']}" for p in resolution["payouts"]]
    return {
        **shown,
        "external_id": market.external_id,
        "tags": "|".join(shown["tags"]),
        "outcomes": "|".join(outcome["label"] for outcome in outcomes),
        "prices": "|".join(outcome["price"] for outcome in outcomes),
        "shares": "|".join(outcome["shares"] for outcome in outcomes),
        "resolved_to": "|".join(paid),
        "resolved_at": resolution["resolved_at"],
        "resolution_note": resolution["note"],
    }


def _trade(trade: Trade) -> Row:
    return {
        **present_own_trade(trade),
        "market": trade.market.name,
        "outcome": trade.outcome.label,
        "trader": trade.trader.get_username(),
    }


def _position(position: Position) -> Row:
    return {
        **present_position(position),
        "id": position.pk,
        "trader": position.trader.get_username(),
        "market": position.market.name,
        "outcome": position.outcome.label,
        "paid_in": to_text(position.net_cost),
    }


def _posting(posting: Posting) -> Row:
    entry, account = posting.entry, posting.account
    return {
        **present_posting(posting),
        "entry_id": entry.pk,
        "market": entry.market and entry.market.name,
        "actor": entry.actor and entry.actor.get_username(),
        "account_id": account.pk,
        "account": account.kind,
        "trader": account.user and account.user.get_username(),
        "reverses": entry.reverses_id,
    }


def _postings_of(entries: QuerySet[JournalEntry]) -> QuerySet[Posting]:
    return Posting.objects.filter(entry__in=entries.order_by().values("pk"))


EXPORTS: Final[dict[type[Model], Export]] = {
    Market: Export(
        columns=(
            "id", "external_id", "slug", "name", "status", "category", "tags", "outcomes",
            "prices", "shares", "open_at", "close_at", "created_at", "updated_at", "liquidity",
            "volume", "trade_count", "trader_count", "resolved_to", "resolved_at",
            "resolution_note", "source_url", "description", "resolution_criteria",
        ),
        amounts=frozenset({"liquidity", "volume"}),
        present=_market,
        load=Market.objects.whole,
    ),
    Trade: Export(
        columns=(
            "id", "at", "market_id", "market", "outcome_id", "outcome", "trader", "side", "shares",
            "cost", "average_price", "price_before", "price_after", "seq", "client_order_id",
        ),
        amounts=frozenset({"shares", "cost", "average_price", "price_before", "price_after"}),
        present=_trade,
        load=lambda: Trade.objects.select_related("market", "outcome", "trader"),
    ),
    Position: Export(
        columns=(
            "id", "trader", "market_id", "market", "status", "outcome_id", "outcome", "shares",
            "price", "value", "cost_basis", "open_profit", "realised_profit", "paid_in", "payout",
        ),
        amounts=frozenset({
            "shares", "price", "value", "cost_basis", "open_profit", "realised_profit", "paid_in",
            "payout",
        }),
        present=_position,
        load=lambda: Position.objects.select_related(
            "market", "outcome", "trader"
        ).prefetch_related("market__outcomes"),
    ),
    JournalEntry: Export(
        columns=(
            "id", "entry_id", "at", "kind", "market_id", "market", "account_id", "account",
            "trader", "amount", "balance", "actor", "note", "reverses",
        ),
        amounts=frozenset({"amount", "balance"}),
        present=_posting,
        load=lambda: Posting.objects.select_related(
            "entry__market", "entry__actor", "account__user"
        ),
        select=_postings_of,
    ),
}  # fmt: skip


# Unfold's lists of actions open by the mouse only
_KEYBOARD: Final = {
    "role": "button",
    "tabindex": "0",
    "x-on:keydown.enter": "actionDropdownOpen = !actionDropdownOpen",
}


class Exporting(ModelAdmin):
    """Mixin of the lists in EXPORTS: a button "Export" that keeps the filters of the list."""

    def changelist_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        response = super().changelist_view(request, *args, **kwargs)
        query = request.GET.urlencode()
        for button in (getattr(response, "context_data", None) or {}).get("actions_list", ()):
            exports = [item for item in button.get("items", ()) if "/export_" in item["path"]]
            for item in exports:
                item["path"] += f"?{query}" if query else ""
            if exports:
                button["attrs"] = _KEYBOARD
        return response

    @action(description="As CSV", permissions=[Permission.EXPORT_DATA, "view"])
    def export_csv(self, request: HttpRequest) -> HttpResponseBase:
        listed = self._listed(request)
        if listed is None:
            return redirect("../")
        chunks = csv_chunks(EXPORTS[self.model], listed)
        return self._download(StreamingHttpResponse(chunks), "csv", "text/csv; charset=utf-8")

    @action(description="As XLSX", permissions=[Permission.EXPORT_DATA, "view"])
    def export_xlsx(self, request: HttpRequest) -> HttpResponseBase:
        export, listed = EXPORTS[self.model], self._listed(request)
        if listed is None:
            return redirect("../")
        if export.has_more_than(MOST_XLSX, listed):
            why = f"A workbook has at most {MOST_XLSX:,} rows: filter the list or choose CSV."
            messages.error(request, why)
            return redirect(f"../?{request.GET.urlencode()}")
        chunks = file_chunks(workbook(export, listed))
        return self._download(StreamingHttpResponse(chunks), "xlsx", XLSX)

    def _listed(self, request: HttpRequest) -> QuerySet[Any] | None:
        """Return all rows of the list as the address filters it, or None for a wrong filter."""
        try:
            changelist = self.get_changelist_instance(request)
        except IncorrectLookupParameters:
            messages.error(request, "This filter is not known: filter the list again.")
            return None
        return changelist.queryset

    def _download(
        self, response: StreamingHttpResponse, kind: str, content_type: str
    ) -> StreamingHttpResponse:
        name = str(self.opts.verbose_name_plural).replace(" ", "-")
        response["Content-Type"] = content_type
        response["Content-Disposition"] = f'attachment; filename="{name}.{kind}"'
        return response


EXPORT_BUTTON: Final = {
    "title": "Export",
    "icon": "download",
    "items": ["export_csv", "export_xlsx"],
}


def workbook(export: Export, listed: QuerySet[Any]) -> IO[bytes]:
    """Return a temporary file with the workbook."""
    book = Workbook(write_only=True)
    sheet: Any = book.create_sheet()
    sheet.append(export.columns)
    written = sheet._writer.out  # a file that openpyxl deletes only after `save`
    try:
        for rows in export.chunks(listed):
            for row in rows:
                sheet.append([_cell(value) for value in export.numbers(row)])
        file = tempfile.TemporaryFile()  # noqa: SIM115  (`file_chunks` closes it)
        book.save(file)
    finally:
        if os.path.exists(written):
            sheet.close()
            sheet._writer.cleanup()
    file.seek(0)
    return file


def _cell(value: Any) -> Any:
    return _NOT_XML.sub("", str(safe_cell(value))) if isinstance(value, str) else value


async def file_chunks(file: IO[bytes]) -> AsyncIterator[bytes]:
    try:
        while block := await in_thread(file.read, _BLOCK):
            yield block
    finally:
        file.close()
