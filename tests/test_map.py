"""What newcomers read is true: the map of the layers, and every file that the documents name."""

import re
import tomllib

import pytest

import markets
from tests.support import ROOT

DOCUMENTS = [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), ROOT / "bench" / "README.md"]
CITED = re.compile(
    r"`((?:[\w.-]+/)*[\w.-]+\.(?:py|md|html|js|css|toml|txt|sql|json))`|`((?:[\w.-]+/)+)`"
)


def layers():
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"][
        "contracts"
    ]
    return next(contract["layers"] for contract in contracts if contract["type"] == "layers")


def test_the_map_in_the_app_is_the_contract():
    rows = [re.split(r"\s{3,}", line)[0] for line in markets.__doc__.split("\n\n")[1].splitlines()]
    assert rows == layers()


def test_the_map_in_the_architecture_is_the_contract():
    text = (ROOT / "ARCHITECTURE.md").read_text()
    rows = [re.split(r"\s{3,}", line)[0] for line in text.split("```")[1].strip().splitlines()]
    assert rows == layers()


def test_the_app_has_no_loose_modules_but_those_that_django_looks_up():
    assert {file.name for file in (ROOT / "markets").glob("*.py")} == {
        "__init__.py",
        "apps.py",
        "urls.py",
    }


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.name)
def test_every_file_that_a_document_names_exists(document):
    cited = {file or folder for file, folder in CITED.findall(document.read_text())}
    folders = [
        ROOT,
        ROOT / "markets",
        ROOT / "config",
        ROOT / "markets" / "web",
        ROOT / "tests",
        document.parent,
    ]
    made = {"var/demo.json", "var/embedded.json", "var/embedded.lock"}  # by a running demo
    missing = {
        name for name in cited - made if not any((folder / name).exists() for folder in folders)
    }
    assert not missing
