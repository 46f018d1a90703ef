"""Who acts: people, their keys, and how they sign in."""

from __future__ import annotations

import functools
from typing import Any

import httpx
from django.contrib.auth import get_user_model
from django.contrib.auth.hashers import make_password

from markets.services import keys
from tests.support.clock import NOW

PASSWORD = "correct horse battery staple"
hashed = functools.cache(make_password)  # slow on purpose, so once


def person(name: str, **facts: Any) -> Any:
    user = get_user_model()(
        username=name, email=f"{name}@example.org", password=hashed(PASSWORD), **facts
    )
    user.save()
    return user


def key_for(user: Any, *scopes: str) -> str:
    return keys.issue_key(user=user, now=NOW, name="test", scopes=scopes or ("read",))[1]


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


async def sign_in(client: httpx.AsyncClient, name: str) -> None:
    page = await client.get("/account/login/")
    token = page.text.split('name="csrfmiddlewaretoken" value="')[1].split('"')[0]
    answer = await client.post(
        "/account/login/", data={"login": name, "password": PASSWORD, "csrfmiddlewaretoken": token}
    )
    assert answer.status_code == 302, answer.text
