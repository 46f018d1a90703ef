"""What the admin's pages cost at 100 markets and 1,000 trades, at 1,000 and 10,000, and at 100,000 and 1,000,000.

Whole pages, asked through Django without a socket, so the database's and the templates' part. The databases on one server take turns,
page by page. `python -m bench.admin` takes some eight minutes, half of them for filling.
"""

from __future__ import annotations

import os
import statistics
import sys
import time
from collections.abc import Callable

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
os.environ.setdefault("LOG_LEVEL", "ERROR")

from django.db import DEFAULT_DB_ALIAS, connection, connections

from bench import report
from bench.servers import own_database
from bench.size import connected, took

SIZES = ((100, 1_000), (1_000, 10_000), (100_000, 1_000_000))  # markets, trades
TIMES = 15


def addresses(market_id: int) -> dict[str, str]:
    """The pages of the admin: each list, its search, and its newest row; and the market with all the trades."""
    from django.contrib import admin
    from django.urls import reverse

    found = {"home": "/admin/"}
    for model, its_admin in admin.site._registry.items():
        name = f"{model._meta.app_label}_{model._meta.model_name}"
        title = str(model._meta.verbose_name_plural)
        listed = reverse(f"admin:{name}_changelist")
        found[f"{title}: list"] = listed
        if its_admin.search_fields:
            found[f"{title}: search"] = f"{listed}?q=railway"
        if newest := model._default_manager.order_by("-pk").values_list("pk", flat=True).first():
            found[f"{title}: newest"] = reverse(f"admin:{name}_change", args=[newest])
    market = reverse("admin:markets_market_change", args=[market_id])
    queue = reverse("admin:markets_market_changelist")
    return {
        **found,
        "markets: the most traded": market,
        "markets: its resolution": market.replace("change", "resolve"),
        **{
            f"markets: {name}": f"{queue}?queue={name}"
            for name in ("awaiting", "closing", "drafts")
        },
        "markets: a category, by volume": f"{queue}?category__id__exact=7&o=-6",
        "markets: calendar": f"{queue}calendar/",
    }


def asks(path: str) -> Callable[[], object]:
    """A call of the page by a superuser, in the database that is connected."""
    from django.contrib.auth import get_user_model
    from django.test import Client

    user = get_user_model()._default_manager.get_or_create(
        username="root", defaults={"is_staff": True, "is_superuser": True}
    )[0]
    client = Client()
    client.force_login(user)

    def ask() -> None:
        answer = client.get(path)
        assert answer.status_code == 200, (path, answer.status_code)
        if answer.streaming:
            b"".join(answer.streaming_content)  # type: ignore[arg-type]

    return ask


def main() -> None:
    with own_database():
        from django.test.utils import setup_test_environment

        from bench.fill import fill

        setup_test_environment()

        name = connection.settings_dict["NAME"]
        filled, databases, begun = (0, 0), [], time.monotonic()
        for size in SIZES:
            ids = fill(*(there - here for here, there in zip(filled, size, strict=True)))
            filled = size
            connection.close()
            connection.close_pool()  # type: ignore[attr-defined]
            databases.append((name if size == SIZES[-1] else f"size_{size[0]}", ids))
            if size != SIZES[-1]:
                with connected("postgres").cursor() as cursor:
                    cursor.execute(f"CREATE DATABASE size_{size[0]} TEMPLATE {name}")
        sys.stderr.write(f"filled in in {time.monotonic() - begun:.0f} s\n")
        sides = []
        for database, ids in databases:
            connections[DEFAULT_DB_ALIAS] = connected(database)
            pages = {page: asks(path) for page, path in addresses(ids[0]).items()}
            sides.append((connections[DEFAULT_DB_ALIAS], pages))
        lines = [
            "| page | ms at 100 markets, 1,000 trades | at 1,000 and 10,000 | at 100,000 and 1,000,000 | ratio to 100 | to 1,000 |",
            "|---|---|---|---|---|---|",
        ]
        for page in sides[0][1]:
            times: list[list[float]] = [[] for _ in sides]
            for _ in range(TIMES):
                for (database_connection, pages), measured in zip(sides, times, strict=True):
                    connections[DEFAULT_DB_ALIAS] = database_connection
                    measured.append(took(pages[page]))
            small, middle, large = (statistics.median(measured) for measured in times)
            lines.append(
                f"| {page} | {small:.0f} | {middle:.0f} | {large:.0f} | **{large / small:.2f}** | **{large / middle:.2f}** |"
            )
            sys.stderr.write(lines[-1] + "\n")
        report.tell("admin", lines)


if __name__ == "__main__":
    main()
