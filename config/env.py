"""Read the environment and `.env`; an error says in one sentence what to set."""

import os
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured
from dotenv import load_dotenv

BASE_DIR = Path(__file__).resolve().parent.parent
VAR_DIR = BASE_DIR / "var"

load_dotenv(BASE_DIR / ".env")  # a variable that is already set wins


def text(name: str, default: str) -> str:
    """Return the variable, or `default` when it is unset or empty."""
    return os.environ.get(name) or default


def flag(name: str, *, default: bool = False) -> bool:
    word = text(name, "1" if default else "0").lower()
    if word in {"1", "true", "yes", "on"}:
        return True
    if word in {"0", "false", "no", "off"}:
        return False
    raise ImproperlyConfigured(f"{name}={word!r} is not a yes or no: use 1 or 0.")


def number(name: str, default: int, *, least: int = 0) -> int:
    word = text(name, str(default))
    if not word.isascii() or not word.isdigit() or int(word) < least:
        raise ImproperlyConfigured(f"{name}={word!r} is not a whole number of at least {least}.")
    return int(word)


def choice(name: str, allowed: tuple[str, ...]) -> str:
    """Return the variable, by default the first of those that are allowed."""
    word = text(name, allowed[0])
    if word not in allowed:
        raise ImproperlyConfigured(f"{name}={word!r} is not one of {', '.join(allowed)}.")
    return word


def words(name: str, default: str) -> list[str]:
    """Read a comma-separated list."""
    return [word.strip() for word in text(name, default).split(",") if word.strip()]


def required(name: str, why: str) -> str:
    if value := os.environ.get(name):
        return value
    raise ImproperlyConfigured(f"{name} is not set: {why} See .env.example.")
