import sys
from argparse import ArgumentParser
from dataclasses import replace
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone
from tqdm import tqdm

from markets.domain.errors import Refused
from markets.services import importing, workbooks


class Command(BaseCommand):
    help = "Import a CSV, XLSX or JSON file: all rows or none. A known external_id is skipped."

    def add_arguments(self, parser: ArgumentParser) -> None:
        columns = "a .csv, .xlsx or .json file; see README for the columns"
        parser.add_argument("file", type=Path, help=columns)
        parser.add_argument("--dry-run", action="store_true", help="check and change nothing")
        parser.add_argument("--drafts", action="store_true", help="make drafts of all rows")

    def handle(self, *, file: Path, dry_run: bool, drafts: bool, **_options: Any) -> None:
        try:
            data = file.read_bytes()
        except OSError as error:
            raise CommandError(f"Cannot read {file}: {error.strerror}.") from None
        try:
            table = replace(workbooks.parse_file(file.name, data), drafts=drafts)
            with tqdm(total=len(table.rows), unit="row", file=sys.stderr, disable=None) as bar:
                result = importing.import_markets(
                    table=table,
                    actor=None,
                    now=timezone.now(),
                    dry_run=dry_run,
                    progress=bar.update,
                )
        except importing.ImportRefused as refused:
            for row in refused.errors:
                self.stderr.write(f"row {row.row}, {row.field}: {row.message}")
            raise CommandError(str(refused)) from None
        except Refused as error:
            raise CommandError(str(error)) from None
        if result.ignored_columns:
            self.stdout.write(f"Columns not used: {', '.join(result.ignored_columns)}.")
        verb = "would be created" if dry_run else "created"
        self.stdout.write(f"{result.created} {verb}, {result.existing} already there.")
