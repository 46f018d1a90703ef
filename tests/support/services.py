"""Pytest plugin: PostgreSQL and Valkey of this run's own, from the same wheels as the demo, before the settings are read."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

os.environ.update(
    BASE_URL="http://testserver",
    LOG_FORMAT="json",
    LOG_LEVEL="INFO",
    EMAIL_BACKEND="django.core.mail.backends.locmem.EmailBackend",
)
for name in ("REDIS_URL", "DEBUG"):  # never the ones of an installation: tests empty them
    if "PYTEST_XDIST_WORKER" not in os.environ:
        os.environ.pop(name, None)

from config.dev import embedded
from tests.support import ROOT

# so that an assertion that fails in a helper says as much as one in a test
pytest.register_assert_rewrite(
    *(
        f"tests.support.{file.stem}"
        for file in Path(__file__).parent.glob("*.py")
        if file.stem not in {"__init__", "services"}
    )
)

_servers = None

if worker := os.environ.get(
    "PYTEST_XDIST_WORKER"
):  # the controller started the servers; each worker has its own Redis database
    os.environ["REDIS_URL"] = (
        os.environ["REDIS_URL"].rsplit("/", 1)[0] + f"/{int(worker.removeprefix('gw')) + 1}"
    )
else:
    os.environ.pop("DATABASE_URL", None)
    _servers = embedded.for_tests()
    _servers.__enter__()
    # the pages' files, as every installation collects them; once, before any worker starts
    subprocess.run(
        [sys.executable, "manage.py", "collectstatic", "--noinput", "--verbosity", "0"],
        cwd=ROOT,
        check=True,
    )


def pytest_unconfigure() -> None:
    if _servers is not None:
        _servers.__exit__(None, None, None)
