"""The settings as mypy's plugin sees them: it needs the apps and models, and no server."""

import os

for name, value in {
    "SECRET_KEY": "types",
    "DATABASE_URL": "postgresql:///types",
    "REDIS_URL": "redis://types/0",
}.items():
    os.environ.setdefault(name, value)

from config.settings import *  # noqa: E402, F403
