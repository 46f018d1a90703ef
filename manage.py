#!/usr/bin/env python
"""Every command starts here; `config/dev/embedded.py` says where its database and Redis come from."""

import os
import sys

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")


def main() -> None:
    """Run one Django command, or the demo, with its services in reach."""
    from config.dev import demo, embedded

    command = sys.argv[1] if len(sys.argv) > 1 else "help"
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
