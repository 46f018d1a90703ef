"""The embedded servers and the demo, as real processes in a copy of the project."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import psutil
import psycopg
import pytest

from config.dev import embedded
from tests.support import ROOT
from tests.support.processes import wait_for

ENVIRONMENT = {
    k: v
    for k, v in os.environ.items()
    if k not in {"DATABASE_URL", "REDIS_URL", "SECRET_KEY", "BASE_URL", "LOG_FORMAT"}
}


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A copy of the project in a path with a space, without what a run leaves behind."""
    copy = tmp_path_factory.mktemp("with a space") / "bellwether"
    shutil.copytree(
        ROOT,
        copy,
        ignore=shutil.ignore_patterns(
            ".venv*", "var", ".git", "__pycache__", ".*_cache", ".hypothesis"
        ),
    )
    yield copy
    if os.geteuid() == 0 and (copy / "var" / "home").exists():
        shutil.rmtree(embedded.home_of(copy / "var"), ignore_errors=True)


@pytest.fixture(autouse=True)
def quiet(monkeypatch):
    monkeypatch.setitem(ENVIRONMENT, "CROWD", "0")


def manage(project, *arguments, **environment):
    """`manage.py` with these arguments, its output in one pipe."""
    command = [sys.executable, "manage.py", *arguments]
    facts = {
        "cwd": project,
        "env": {**ENVIRONMENT, **environment},
        "text": True,
        "stdin": subprocess.DEVNULL,
    }
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **facts)


class Demo:
    def __init__(self, project, **environment):
        self.begun = time.monotonic()
        self.process = manage(project, "demo", **environment)
        self.lines = []
        for line in self.process.stdout:
            self.lines.append(line.rstrip())
            if line.startswith("Ready"):
                break
        self.seconds = time.monotonic() - self.begun
        self.family = []
        if self.ready:
            self.family = [
                self.process.pid,
                *(p.pid for p in psutil.Process(self.process.pid).children(recursive=True)),
            ]
        else:
            self.process.communicate(timeout=30)

    @property
    def ready(self):
        return bool(self.lines) and self.lines[-1].startswith("Ready")

    def end(self, how=signal.SIGTERM):
        self.process.send_signal(how)
        rest = self.process.communicate(timeout=40)[0]
        return self.process.returncode, rest

    def orphans(self):
        return [pid for pid in self.family if lives(pid)]


def lives(pid):
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def traded(client, wait=0):
    """The trades of all active markets, now or in a moment."""
    time.sleep(wait)
    markets = client.get("/api/v1/markets/?limit=200").json()["items"]
    return sum(market["trade_count"] for market in markets)


def test_the_demo_runs_keeps_its_data_and_ends_without_orphans(project, request):
    port = embedded.free_port()
    demo = Demo(project, PORT=str(port), CROWD="1")
    assert demo.ready, demo.lines
    assert demo.seconds < 30 or os.environ.get("PYTEST_XDIST_WORKER"), (
        "with nothing beside it, a first start takes half of that"
    )
    access = json.loads((project / "var" / "demo.json").read_text())
    assert set(access) >= {
        "base_url",
        "admin_username",
        "admin_password",
        "trader_username",
        "trader_password",
        "staff_api_key",
        "trader_api_key",
    }
    assert access["base_url"] == f"http://127.0.0.1:{port}"
    assert (project / "var" / "demo.json").stat().st_mode & 0o077 == 0
    request.addfinalizer(
        (
            client := httpx.Client(
                base_url=access["base_url"],
                headers={"Authorization": f"Bearer {access['staff_api_key']}"},
            )
        ).close
    )
    assert client.get("/static/markets/site.css").status_code == 200
    made = client.post("/api/v1/markets/", json={"name": "Will it last?"}).json()
    trader = {"Authorization": f"Bearer {access['trader_api_key']}"}
    me = client.get("/api/v1/me", headers=trader).json()
    assert me["username"] == access["trader_username"]
    assert 0 < float(me["balance"]) != 1000, "the trader has traded"
    past = client.get("/api/v1/markets/?sort=volume").json()["items"][0]
    history = client.get(f"/api/v1/markets/{past['id']}/history").json()
    assert len({json.dumps(point["prices"]) for point in history["items"]}) > 20
    wait_for(lambda: traded(client) > 2000 and traded(client) != traded(client, wait=1), 30)

    count = """
from django.contrib.auth import get_user_model
from markets.models import Market
print('count', Market.objects.count(), get_user_model().objects.count())
trader = get_user_model().objects.get(username="trader")
print(trader.check_password(ACCESS), trader.is_staff)
""".replace("ACCESS", repr(access["trader_password"]))
    beside = manage(project, "shell", "-c", count).communicate(timeout=30)[0]
    assert "count 43 26\nTrue False" in beside, "the crowd is the people of the past"
    second = manage(project, "demo", PORT=str(embedded.free_port()))
    assert "already runs" in second.communicate(timeout=30)[0]
    assert second.returncode == 1

    assert len(demo.family) >= 6
    assert demo.end(signal.SIGINT)[0] == 0
    wait_for(lambda: not demo.orphans())

    again = Demo(project, PORT=str(port))
    assert again.ready, again.lines
    assert again.seconds < 10 or os.environ.get("PYTEST_XDIST_WORKER"), (
        "with nothing beside it, a second start is quick"
    )
    assert client.get(f"/api/v1/markets/{made['id']}").json()["name"] == "Will it last?"
    assert json.loads((project / "var" / "demo.json").read_text()) == access
    assert again.end(signal.SIGTERM)[0] == 0
    wait_for(lambda: not again.orphans())


@pytest.mark.parametrize(
    ("victim", "name"),
    [("celery", "worker was ended by SIGKILL"), ("postgres", "PostgreSQL was ended by SIGKILL")],
)
def test_when_one_part_dies_the_rest_ends_and_says_why(project, victim, name):
    demo = Demo(project, PORT=str(embedded.free_port()))
    assert demo.ready, demo.lines
    children = psutil.Process(demo.process.pid).children()
    part = next(
        p for p in children if victim in " ".join(p.cmdline()) and "beat" not in p.cmdline()
    )
    part.kill()
    said = demo.process.communicate(timeout=40)[0]
    assert demo.process.returncode == 1
    assert name in said
    wait_for(lambda: not demo.orphans())


def test_a_demo_that_is_killed_takes_everything_with_it(project):
    demo = Demo(project, PORT=str(embedded.free_port()))
    assert demo.ready, demo.lines
    demo.process.kill()
    demo.process.communicate(timeout=30)
    wait_for(lambda: not demo.orphans(), 20)


def test_a_taken_port_gets_a_clear_sentence(project):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        demo = Demo(project, PORT=str(port))
    assert not demo.ready
    assert f"Port {port} cannot be used" in demo.lines[-1]
    assert demo.process.returncode == 1


@pytest.mark.parametrize("port", ["banana", "0", "70000"])
def test_a_port_that_is_none_gets_a_clear_sentence(project, port):
    demo = Demo(project, PORT=port)
    assert not demo.ready
    assert f"PORT={port}" in demo.lines[-1].replace("'", "")
    assert "Traceback" not in "".join(demo.lines)


def test_a_full_disk_gets_a_clear_sentence(tmp_path, monkeypatch):
    monkeypatch.setattr(
        embedded.shutil,
        "disk_usage",
        lambda _path: shutil._ntuple_diskusage(10**9, 10**9 - 1000, 1000),
    )
    with pytest.raises(embedded.CannotStart, match=r"0 MB free and 400 MB are needed"):
        embedded.check_room(tmp_path)


def test_named_servers_are_used_and_nothing_is_embedded(project):
    code = "from django.conf import settings; print(settings.REDIS_URL, settings.DATABASES['default']['HOST'])"
    facts = {
        "DATABASE_URL": "postgresql://u:p@db.example/x",
        "REDIS_URL": "redis://cache.example/0",
        "SECRET_KEY": "x",
    }
    said = manage(project, "shell", "-c", code, **facts).communicate(timeout=30)[0]
    assert "redis://cache.example/0 db.example" in said


def test_a_missing_secret_stops_the_start_with_one_sentence(project):
    facts = {
        "DATABASE_URL": "postgresql://u:p@db.example/x",
        "REDIS_URL": "redis://cache.example/0",
    }
    said = manage(project, "check", **facts).communicate(timeout=30)[0]
    assert "SECRET_KEY is not set" in said.strip().splitlines()[-1]


def test_the_embedded_postgresql_asks_for_its_password(tmp_path):
    tmp_path.chmod(0o755)
    for parent in tmp_path.parents[:3]:
        if parent != Path("/tmp"):
            parent.chmod(0o755)
    with embedded.postgres(tmp_path, durable=False) as url, pytest.raises(psycopg.OperationalError):
        psycopg.connect(url.replace(embedded._password(tmp_path), "wrong"))
