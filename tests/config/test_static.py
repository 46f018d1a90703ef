"""Static files: hashed, compressed, cached for a year, and named by their hashes on every page."""

import gzip
import os
import re
import subprocess
import sys

import pytest
from django.core.files.storage import FileSystemStorage
from django.templatetags.static import static
from django.test import Client

from config.static import HashedFiles
from markets.infra.threads import in_thread
from tests.support import ROOT

HASHED = re.compile(r"/static/[\w./-]+\.[0-9a-f]{12}\.\w+")
A_YEAR = {"public", "max-age=31536000", "immutable"}


def caching(answer):
    return set(answer.headers["Cache-Control"].split(", "))


@pytest.mark.parametrize("name", ["markets/site.css", "markets/live.js", "markets/icon.svg"])
async def test_a_hashed_file_is_compressed_and_kept_for_a_year(client, name):
    address = static(name)
    assert HASHED.fullmatch(address)
    answer = await client.get(address, headers={"Accept-Encoding": "gzip"})
    assert (answer.status_code, answer.headers["Content-Encoding"]) == (200, "gzip")
    assert caching(answer) == A_YEAR
    assert "Accept-Encoding" in answer.headers["Vary"]
    plain = await client.get(address, headers={"Accept-Encoding": "identity"})
    assert "Content-Encoding" not in plain.headers
    assert plain.content == answer.content
    assert int(answer.headers["Content-Length"]) < len(plain.content)


async def test_a_file_without_a_hash_is_kept_for_a_minute(client):
    assert caching(await client.get("/static/markets/site.css")) == {"public", "max-age=60"}


async def test_every_page_names_its_files_by_their_hashes(client, market, alice):
    def of_staff():
        browser = Client()
        browser.force_login(alice)
        addresses = (
            "/admin/",
            "/admin/markets/market/",
            f"/admin/markets/market/{market.pk}/change/",
        )
        return [browser.get(address).content.decode() for address in addresses]

    pages = await in_thread(of_staff)
    for address in ("/", market.get_absolute_url(), "/nothing", "/account/login/", "/api/v1/docs"):
        pages.append((await client.get(address)).text)
    files = {file for page in pages for file in re.findall(r"""["'](/static/[^"'#?]+)""", page)}
    assert len(files) > 10
    for file in files:
        assert HASHED.fullmatch(file), file
        assert caching(await client.get(file)) == A_YEAR, file


def hashed(folder, texts):
    """The texts by name, as they are collected into the folder."""
    for name, text in texts.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    source, files = FileSystemStorage(folder), HashedFiles(folder, "/static/")
    for name, _, processed in files.post_process({name: (source, name) for name in texts}):
        assert not isinstance(processed, Exception), name
    return files


def test_the_imports_of_modules_follow_the_hashes(tmp_path):
    modules = {
        "markets/a.js": 'import {b} from "./b.js";\nimport * as c from "./c.js";\nimport("./c.js");',
        "markets/b.js": 'import "./c.js";\nexport const b = 1;',
        "markets/c.js": 'export const text = "no import";',
    }
    files = hashed(tmp_path, modules)
    texts = {name: (tmp_path / files.stored_name(name)).read_text() for name in modules}
    for name, imported in (("a", "b"), ("a", "c"), ("b", "c")):
        to = files.stored_name(f"markets/{imported}.js").removeprefix("markets/")
        assert f'"./{to}"' in texts[f"markets/{name}.js"]
        assert f'"./{imported}.js"' not in texts[f"markets/{name}.js"]


def test_every_import_of_our_modules_was_followed():
    """A pattern of Django's wants the semicolon: without it, a module would be loaded without its hash."""
    for module in (ROOT / "markets/static/markets").glob("*.js"):
        name = static(f"markets/{module.name}").removeprefix("/static/")
        text = (ROOT / "var/static" / name).read_text()
        for imported in re.findall(r"""(?:\bfrom|\bimport)\s*\(?\s*["'](\.[^"']+)""", text):
            assert re.search(r"\.[0-9a-f]{12}\.js$", imported), (module.name, imported)


def test_files_are_compressed_once(tmp_path):
    texts = {"markets/a.css": "a { color: red }\n" * 100}
    for _ in range(2):
        compressed = tmp_path / f"{hashed(tmp_path, texts).stored_name('markets/a.css')}.gz"
        assert gzip.decompress(compressed.read_bytes()).decode() == texts["markets/a.css"]
        os.utime(compressed, (1, 1))
    hashed(tmp_path, texts)
    assert compressed.stat().st_mtime == 1


def test_a_server_without_collected_files_does_not_start_and_says_why(tmp_path):
    code = (
        "from config import settings; from pathlib import Path; "
        f"settings.STATIC_ROOT = Path({str(tmp_path)!r}); import config.asgi"
    )
    said = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert said.returncode == 1
    last = said.stderr.strip().splitlines()[-1]
    assert "The static files are not collected: run 'python manage.py collectstatic" in last
