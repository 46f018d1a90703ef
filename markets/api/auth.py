"""Who calls: a bearer key, or the session of a page (with CSRF)."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from time import monotonic
from types import SimpleNamespace
from typing import Any, Final

from django.conf import settings
from django.contrib.auth import get_user
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest, parse_cookie
from django.utils import timezone
from ninja.security import APIKeyCookie, HttpBearer

from markets import ratelimit
from markets.errors import Forbidden, RateLimited, Unauthenticated
from markets.live import doorbell
from markets.models import ApiKey, Scope
from markets.services import accounts
from markets.threads import in_thread


@dataclass(frozen=True)
class Caller:
    """Somebody known, and what they may do here."""

    user: AbstractBaseUser
    scopes: frozenset[str]
    key: ApiKey | None = None  # None for somebody who signed in on a page


class Recent:
    """Keys that were recognised within the last second, so that a busy program is not looked up at every call.

    A key that is revoked, or whose owner is no longer active, works for so much longer at the most.
    """

    LONGEST: Final = 1.0  # seconds
    MOST: Final = 10_000  # keys

    def __init__(self) -> None:
        self.known: dict[bytes, tuple[float, Caller]] = {}  # by the secret's hash

    def get(self, secret: str) -> Caller | None:
        until, caller = self.known.get(accounts.digest(secret), (0.0, None))
        return caller if until > monotonic() else None

    def put(self, secret: str, caller: Caller) -> None:
        if len(self.known) >= self.MOST:
            self.known.clear()
        expires_at = caller.key and caller.key.expires_at
        left = (expires_at - timezone.now()).total_seconds() if expires_at else self.LONGEST
        self.known[accounts.digest(secret)] = (monotonic() + min(left, self.LONGEST), caller)

    def forget(self, message: dict[str, Any]) -> None:
        """A message of the doorbell."""
        if message.get("keys"):
            # a copy: threads that write tell of events while the event loop puts keys in
            self.known = {known: held for known, held in self.known.copy().items() if held[1].user.pk not in message["users"]}


_recent = Recent()
doorbell.listeners.append(_recent.forget)


class Key(HttpBearer):
    """`Authorization: Bearer bw_…`"""

    def __init__(self, scope: str) -> None:
        super().__init__()
        self.scope = scope

    async def __call__(self, request: HttpRequest) -> Any:
        secret = _secret(request.headers.get("Authorization", ""))
        return None if secret is None else await self.authenticate(request, secret)

    async def authenticate(self, request: HttpRequest, token: str) -> Caller:
        caller = _recent.get(token)
        if caller is None:
            caller = await in_thread(caller_of_key, token)
            _recent.put(token, caller)
        assert caller.key
        within, limits = await ratelimit.count_call(f"key:{caller.key.pk}", now=timezone.now())
        request.rate_limit = limits  # type: ignore[attr-defined]  # the middleware sends them
        if not within:
            raise RateLimited(limits["RateLimit-Limit"], limits["RateLimit-Reset"])
        if Scope.STAFF in caller.scopes and not getattr(caller.user, "is_staff", False):
            raise Forbidden("The owner of this key is no longer staff.")
        return _allowed(caller, self.scope)


class Session(APIKeyCookie):
    """The cookie of somebody who signed in on a page; writes need the CSRF token."""

    param_name = settings.SESSION_COOKIE_NAME

    def __init__(self, scope: str) -> None:
        super().__init__()
        self.scope = scope

    async def __call__(self, request: HttpRequest) -> Any:
        if settings.SESSION_COOKIE_NAME not in request.COOKIES:
            return None
        return await self.authenticate(request, self._get_key(request))

    async def authenticate(self, request: HttpRequest, key: str | None) -> Caller | None:  # noqa: ARG002
        caller = await _signed_in(request)
        return caller and _allowed(caller, self.scope)


async def _signed_in(request: HttpRequest) -> Caller | None:
    user = await request.auser()
    if not user.is_authenticated:
        return None
    return Caller(user, frozenset({Scope.READ, Scope.TRADE} | ({Scope.STAFF} if user.is_staff else set())))


def _allowed(caller: Caller, scope: str) -> Caller:
    if scope not in caller.scopes:
        raise Forbidden(f"This needs the scope '{scope}'.")
    return caller


def needs(scope: str) -> list[Any]:
    """For a route's `auth`: callers with this scope."""
    return [Key(scope), Session(scope)]


def _secret(authorization: str) -> str | None:
    """What stands behind `Bearer`; None for another scheme."""
    kind, _, secret = authorization.partition(" ")
    return secret.strip() if kind.lower() == "bearer" else None


def caller_of_key(secret: str) -> Caller:
    """Raises Unauthenticated."""
    key = accounts.recognise_key(secret=secret, now=timezone.now())
    return Caller(key.user, frozenset(key.scopes), key)


def caller_of(scope: Any) -> Caller:
    """Who opened a stream: by the key or the session cookie in an ASGI scope. Raises Unauthenticated, Forbidden.

    A browser sends the cookie from any site, so whoever lets other sites' pages in must check `Origin` first.
    """
    headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
    if b"authorization" in headers:
        secret = _secret(headers[b"authorization"])
        if secret is None:
            raise Unauthenticated
        return _allowed(caller_of_key(secret), Scope.READ)
    cookie = parse_cookie(headers.get(b"cookie", "")).get(settings.SESSION_COOKIE_NAME)
    store = import_module(settings.SESSION_ENGINE).SessionStore(cookie)
    user = get_user(SimpleNamespace(session=store))  # type: ignore[arg-type]  # all that it looks at
    if not cookie or not user.is_authenticated:
        raise Unauthenticated
    return Caller(user, frozenset({Scope.READ}))


NOBODY: Final = Caller(AnonymousUser(), frozenset())  # type: ignore[arg-type]  # may do nothing that asks who it is


async def anybody(request: HttpRequest) -> Caller:
    """For the `auth` of a route that is open to all. A key that does not work is an error, not an anonymous call."""
    if "Authorization" in request.headers:
        caller: Caller | None = await Key(Scope.READ)(request)
        if caller is None:
            raise Unauthenticated
        return caller
    if settings.SESSION_COOKIE_NAME in request.COOKIES:
        return await _signed_in(request) or NOBODY
    return NOBODY


def sees_drafts(request: HttpRequest) -> bool:
    """Whether staff calls a route that is open to all."""
    return Scope.STAFF in request.auth.scopes  # type: ignore[attr-defined]
