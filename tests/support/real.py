"""Real questions, where they are at hand beside the project."""

from django.core.management import call_command

from tests.support import ROOT

REAL = ROOT.parent / "shared" / "data" / "open-markets.csv"
RESOLVED = REAL.with_name("resolved-markets.csv")


def load_questions() -> None:
    if REAL.exists():
        call_command("import_markets", str(REAL))
    else:
        call_command("load_sample")
