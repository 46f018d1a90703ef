"""Reads the environment (and `.env`), and fails with one sentence that says what to set."""

import os
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured
from dotenv import load_dotenv

BASE_DIR = Path(__file__).resolve().parent.parent
VAR_DIR = BASE_DIR / "var"

load_dotenv(BASE_DIR / ".env")  # a variable that is already set wins


def text(name: str, default: str) -> str:
    """The variable as written, or `default` when it is unset or empty."""
    return os.environ.get(name) or default


def flag(name: str, *, default: bool) -> bool:
    """1, true, yes or on (and their opposites), in any case."""
    word = text(name, "1" if default else "0").lower()
    if word in {"1", "true", "yes", "on"}:
        return True
    if word in {"0", "false", "no", "off"}:
        return False
    raise ImproperlyConfigured(f"{name}={word!r} is not a yes or no: use 1 or 0.")


def number(name: str, default: int, *, least: int = 0) -> int:
    """A whole number of at least `least`."""
    word = text(name, str(default))
    if not word.isascii() or not word.isdigit() or int(word) < least:
        raise ImproperlyConfigured(f"{name}={word!r} is not a whole number of at least {least}.")
    return int(word)


def words(name: str, default: str) -> list[str]:
    """A comma-separated list."""
    return [word.strip() for word in text(name, default).split(",") if word.strip()]


def required(name: str, why: str) -> str:
    """The variable, or a sentence that says why it is needed."""
    value = os.environ.get(name)
    if not value:
        raise ImproperlyConfigured(f"{name} is not set: {why} See .env.example.")
    return value
