"""Authentication by API key or session cookie (with CSRF), and what the caller may do."""

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

from markets.caching import rate_limits
from markets.domain.errors import Forbidden, RateLimited, Unauthenticated
from markets.domain.permissions import Permission, forbidden, permissions_of
from markets.infra.threads import in_thread
from markets.live import doorbell
from markets.models import ApiKey, Scope
from markets.selectors.accounts import has_second_factor
from markets.services import keys

KEY_CACHE_SECONDS: Final = 1.0


@dataclass(frozen=True)
class Caller:
    """An authenticated user; a key may narrow their scopes and permissions."""

    user: AbstractBaseUser
    scopes: frozenset[str]
    permissions: frozenset[Permission] = frozenset()
    key: ApiKey | None = None  # None for a session

    def may(self, permission: Permission) -> bool:
        return permission in self.permissions

    def require(self, *, scope: str, permission: Permission | None = None) -> Caller:
        """Return this caller. Raise Forbidden if the scope or the permission is missing."""
        if scope not in self.scopes:
            raise Forbidden(f"This needs the scope '{scope}'.")
        if permission is not None and not self.may(permission):
            raise forbidden(permission)
        return self


class ApiRequest(HttpRequest):
    auth: Caller
    rate_limit: dict[str, int]  # headers that the middleware adds


class KeyCache:
    """Callers by key, so that a busy client costs no query per request.

    A revoked key or a lost permission stays in the cache for at most KEY_CACHE_SECONDS.
    """

    def __init__(self) -> None:
        self.entries: dict[bytes, tuple[float, Caller]] = {}  # by digest: expiry, caller

    def get(self, secret: str) -> Caller | None:
        expiry, caller = self.entries.get(keys.digest(secret), (0.0, None))
        return caller if expiry > monotonic() else None

    def put(self, secret: str, caller: Caller) -> None:
        if len(self.entries) >= 10_000:
            self.entries.clear()
        expires_at = caller.key and caller.key.expires_at
        left = (expires_at - timezone.now()).total_seconds() if expires_at else KEY_CACHE_SECONDS
        self.entries[keys.digest(secret)] = (monotonic() + min(left, KEY_CACHE_SECONDS), caller)

    def invalidate(self, message: dict[str, Any]) -> None:
        """Drop the callers whose keys have changed, as a message of the doorbell says."""
        if message.get("keys"):
            # A copy, because other threads call this while the event loop adds entries.
            entries, users = self.entries.copy().items(), message["users"]
            self.entries = {key: entry for key, entry in entries if entry[1].user.pk not in users}


_cache = KeyCache()
doorbell.listeners.append(_cache.invalidate)


class _Requirements:
    def __init__(self, scope: str, permission: Permission | None = None) -> None:
        super().__init__()
        self.scope, self.permission = scope, permission


class Key(_Requirements, HttpBearer):
    """`Authorization: Bearer bw_…`"""

    async def __call__(self, request: HttpRequest) -> Caller | None:
        secret = _secret(request.headers.get("Authorization", ""))
        return None if secret is None else await self.authenticate(request, secret)

    async def authenticate(self, request: HttpRequest, token: str) -> Caller:
        caller = _cache.get(token)
        if caller is None:
            caller = await in_thread(caller_of_key, token)
            _cache.put(token, caller)
        assert caller.key
        within, limits = await rate_limits.count_call(f"key:{caller.key.pk}", now=timezone.now())
        request.rate_limit = limits  # type: ignore[attr-defined]  # an ApiRequest from here on
        if not within:
            raise RateLimited(limits["RateLimit-Limit"], limits["RateLimit-Reset"])
        if Scope.STAFF in caller.scopes and not getattr(caller.user, "is_staff", False):
            raise Forbidden("The owner of this key is no longer staff.")
        return caller.require(scope=self.scope, permission=self.permission)


class Session(_Requirements, APIKeyCookie):
    """The session cookie; writes need the CSRF token, too."""

    param_name = settings.SESSION_COOKIE_NAME

    async def __call__(self, request: HttpRequest) -> Caller | None:
        if self.param_name not in request.COOKIES:
            return None
        return await self.authenticate(request, self._get_key(request))

    async def authenticate(self, request: HttpRequest, key: str | None) -> Caller | None:  # noqa: ARG002
        caller = await _signed_in(request)
        return caller and caller.require(scope=self.scope, permission=self.permission)


async def _signed_in(request: HttpRequest) -> Caller | None:
    user = await request.auser()
    if not user.is_authenticated:
        return None
    staff = user.is_staff
    if staff and settings.STAFF_SECOND_FACTOR:  # who cannot enter the admin has no rights here
        staff = await in_thread(has_second_factor, user)
    if not staff:
        return Caller(user, frozenset({Scope.READ, Scope.TRADE}))
    return Caller(user, frozenset(Scope), await in_thread(permissions_of, user))


def needs(scope: str, permission: Permission | None = None) -> list[Any]:
    return [Key(scope, permission), Session(scope, permission)]


def _secret(authorization: str) -> str | None:
    kind, _, secret = authorization.partition(" ")
    return secret.strip() if kind.lower() == "bearer" else None


def caller_of_key(secret: str) -> Caller:
    """Return the owner of the key with this secret. Raise Unauthenticated."""
    key = keys.recognise_key(secret=secret, now=timezone.now())
    permissions = permissions_of(key.user) if Scope.STAFF in key.scopes else frozenset()
    return Caller(key.user, frozenset(key.scopes), permissions, key)


def caller_of(scope: Any) -> Caller:
    """Return the caller of a stream, from an ASGI scope. Raise Unauthenticated or Forbidden.

    The stream must check `Origin` first: browsers send the cookie with requests from any site.
    """
    headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
    if b"authorization" in headers:
        secret = _secret(headers[b"authorization"])
        if secret is None:
            raise Unauthenticated
        return caller_of_key(secret).require(scope=Scope.READ)
    cookie = parse_cookie(headers.get(b"cookie", "")).get(settings.SESSION_COOKIE_NAME)
    store = import_module(settings.SESSION_ENGINE).SessionStore(cookie)
    user = get_user(SimpleNamespace(session=store))  # type: ignore[arg-type]  # reads no more
    if not cookie or not user.is_authenticated:
        raise Unauthenticated
    return Caller(user, frozenset({Scope.READ}))


NOBODY: Final = Caller(AnonymousUser(), frozenset())  # type: ignore[arg-type]


async def anybody(request: HttpRequest) -> Caller:
    """Return the caller of a public route, or NOBODY. Raise Unauthenticated for an invalid key."""
    if "Authorization" in request.headers:
        caller = await Key(Scope.READ)(request)
        if caller is None:
            raise Unauthenticated
        return caller
    has_session = settings.SESSION_COOKIE_NAME in request.COOKIES
    return (await _signed_in(request) if has_session else None) or NOBODY
