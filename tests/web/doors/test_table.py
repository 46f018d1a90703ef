"""The table is whole: every door that there is stands in it, and no other."""

from collections.abc import Iterator
from typing import Literal, get_args, get_origin

from django.contrib import admin
from django.contrib.admin.options import InlineModelAdmin
from django.urls import get_resolver

from markets.web.api.root import api
from markets.web.streams.routing import sockets, streams
from markets.web.streams.socket import Command
from tests.support.roles import ROLES, TABLE

NAMED = {row.bare() for row in TABLE}


def patterns(resolver, before="/") -> Iterator[str]:
    for pattern in resolver.url_patterns:
        path = before + str(pattern.pattern).removeprefix("^").removesuffix("$")
        yield from patterns(pattern, path) if hasattr(pattern, "url_patterns") else [path]


def operations() -> Iterator[str]:
    for prefix, router in api._routers:
        for path, view in router.path_operations.items():
            for operation in view.operations:
                yield from (f"{method} /api/v1{prefix}{path}" for method in operation.methods)


def actions() -> Iterator[str]:
    """Of the bar of actions. Unfold's own kinds have addresses, which stand in the table as such."""
    for model, its in admin.site._registry.items():
        address = f"/admin/{model._meta.label_lower.replace('.', '/')}/"
        names = [name for _, name, _ in its._get_base_actions()]
        names += its.actions_submit_line  # these alone have none
        yield from (f"ACTION {address} {name}" for name in names)


def autocompletes() -> Iterator[str]:
    for model, its in admin.site._registry.items():
        found: list[type[InlineModelAdmin] | admin.ModelAdmin] = [its, *its.inlines]
        for one in found:
            label = (one.model if one is not its else model)._meta.label_lower
            yield from (
                f"GET /admin/autocomplete/ · {label}.{field}" for field in one.autocomplete_fields
            )


def commands() -> Iterator[str]:
    fields = Command.model_fields
    assert set(fields) == {"id", "cmd", "after_seq", "after", "markets", "channel"}, (
        "a new field may be a new door"
    )
    targets = [
        *literals(fields["channel"].annotation),
        *literals(fields["markets"].annotation),
        "markets",
    ]
    for command in get_args(fields["cmd"].annotation):
        yield from (
            ["COMMAND ping"]
            if command == "ping"
            else [f"COMMAND {command} {target}" for target in targets]
        )


def literals(annotation) -> list[str]:
    if get_origin(annotation) is Literal:
        return list(get_args(annotation))
    return [value for part in get_args(annotation) for value in literals(part)]


def test_every_address_stands_in_the_table():
    """With a row that asks it by GET at least, unless it is the API's, whose methods are looked at below."""
    paths = set(patterns(get_resolver()))
    asked = {
        path.replace("{", "<").replace("}", ">")
        for kind, path in (n.split(" ", 1) for n in NAMED)
        if kind in {"GET", "POST", "PATCH", "DELETE"}
    }
    assert paths == asked
    assert {path for path in paths if not path.startswith("/api/")} == {
        name.removeprefix("GET ")
        for name in NAMED
        if name.startswith("GET ") and "/api/" not in name
    }


def test_every_operation_of_the_api_stands_in_the_table():
    beside = {"GET /api/v1/openapi.json", "GET /api/v1/docs", "GET /api/v1/"}
    assert {
        name for name in NAMED if " /api/" in name and not name.startswith("SSE")
    } - beside == set(operations())


def test_every_action_and_every_autocomplete_of_the_admin_stands_in_the_table():
    assert {name for name in NAMED if name.startswith("ACTION")} == set(actions())
    assert {row.door for row in TABLE if "/autocomplete/" in row.door} == set(autocompletes())


def test_every_stream_and_every_command_stands_in_the_table():
    events = {f"SSE /{route.pattern}" for route in streams(otherwise=print) if str(route.pattern)}
    assert {name for name in NAMED if name.startswith("SSE")} == events
    assert {name for name in NAMED if name.startswith("WS")} == {
        f"WS /{route.pattern}" for route in sockets()
    }
    assert {name for name in NAMED if name.startswith("COMMAND")} == set(commands())


def test_no_row_stands_there_twice_and_each_speaks_of_every_role():
    doors = [row.door for row in TABLE]
    assert len(doors) == len(set(doors))
    assert all(set(row.expected()) == set(ROLES) for row in TABLE)
