"""The rule that keeps the tests apart from each other."""

import ast
from collections.abc import Iterator
from pathlib import Path

from tests.support import ROOT


def imported(file: Path) -> Iterator[str]:
    """Every module that a file imports, wherever in it, as `package.module.name`."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = list(file.relative_to(ROOT).parts[: -node.level]) if node.level else []
            yield from (
                ".".join([*base, *([node.module] if node.module else []), name.name])
                for name in node.names
            )


def test_no_module_of_the_tests_imports_a_test_module_or_a_conftest():
    """What two of them need is in tests/support."""
    files = sorted((ROOT / "tests").rglob("*.py"))
    assert len(files) > 30
    inside = {
        (file, name)
        for file in files
        for name in imported(file)
        if name.split(".")[0] in {"tests", "conftest"}
    }
    assert inside
    assert [
        (str(file), name)
        for file, name in sorted(inside)
        if not f"{name}.".startswith("tests.support.")
    ] == []
