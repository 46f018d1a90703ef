#!/usr/bin/env python
"""Run a Django command; `config/dev/embedded.py` finds or starts its database and Redis."""

import os
import sys

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")


def main() -> None:
    from config.dev import demo, embedded

    command = sys.argv[1] if len(sys.argv) > 1 else "help"
    if command == "migrate":
        os.environ.setdefault("DATABASE_TIME_LIMITS", "0")  # rewriting a table takes its time
    try:
        with embedded.for_command(command):
            if command == "demo":
                demo.run()
                return
            from django.core.management import execute_from_command_line

            execute_from_command_line(sys.argv)
    except embedded.CannotStart as problem:
        sys.exit(f"bellwether: {problem}")


if __name__ == "__main__":
    main()
