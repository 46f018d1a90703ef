"""The settings for mypy's plugin, which needs no server."""

import os

os.environ.setdefault("SECRET_KEY", "types")
os.environ.setdefault("DATABASE_URL", "postgresql:///types")
os.environ.setdefault("REDIS_URL", "redis://types/0")

from config.settings import *  # noqa: F403
