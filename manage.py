#!/usr/bin/env python
"""Every command starts here; see `config/embedded.py` for where its database and Redis come from."""

import os
import sys

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")


def main() -> None:
    """Run one Django command with its services in reach."""
    from config import embedded

    command = sys.argv[1] if len(sys.argv) > 1 else "help"
    try:
        with embedded.for_command(command):
            from django.core.management import execute_from_command_line

            execute_from_command_line(sys.argv)
    except embedded.CannotStart as problem:
        sys.exit(f"bellwether: {problem}")


if __name__ == "__main__":
    main()
