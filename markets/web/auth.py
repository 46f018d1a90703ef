"""Who calls: a bearer key, or the session of a page (with CSRF); and what they may do."""

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
from markets.services import keys

RECENT_SECONDS: Final = 1.0
MOST_RECENT: Final = 10_000  # keys


@dataclass(frozen=True)
class Caller:
    """A person who is known, and what they may do here: what their permissions allow and their key's scopes leave."""

    user: AbstractBaseUser
    scopes: frozenset[str]
    permissions: frozenset[Permission] = frozenset()
    key: ApiKey | None = None  # None for a person who signed in on a page

    def may(self, permission: Permission) -> bool:
        return permission in self.permissions

    def require(self, *, scope: str, permission: Permission | None = None) -> Caller:
        """Return this caller. Raise Forbidden without the scope or the permission."""
        if scope not in self.scopes:
            raise Forbidden(f"This needs the scope '{scope}'.")
        if permission is not None and not self.may(permission):
            raise forbidden(permission)
        return self


class ApiRequest(HttpRequest):
    """A request of the API once its caller is known."""

    auth: Caller
    rate_limit: dict[str, int]  # the headers that tell of it; the middleware sends them


class RecentCallers:
    """Callers whose keys were recognised within the last second, so that a busy program is not looked up at every call.

    A key that is revoked, or whose owner loses a permission, works for so much longer at the most.
    """

    def __init__(self) -> None:
        self.known: dict[bytes, tuple[float, Caller]] = {}  # by the secret's hash

    def get(self, secret: str) -> Caller | None:
        until, caller = self.known.get(keys.digest(secret), (0.0, None))
        return caller if until > monotonic() else None

    def put(self, secret: str, caller: Caller) -> None:
        if len(self.known) >= MOST_RECENT:
            self.known.clear()
        expires_at = caller.key and caller.key.expires_at
        left = (expires_at - timezone.now()).total_seconds() if expires_at else RECENT_SECONDS
        self.known[keys.digest(secret)] = (monotonic() + min(left, RECENT_SECONDS), caller)

    def forget(self, message: dict[str, Any]) -> None:
        """Forget the callers whose keys a message of the doorbell says have changed."""
        if message.get("keys"):
            changed = message["users"]
            # a copy: threads that write tell of events while the event loop puts callers in
            kept = {
                known: held
                for known, held in self.known.copy().items()
                if held[1].user.pk not in changed
            }
            self.known = kept


_recent = RecentCallers()
doorbell.listeners.append(_recent.forget)


class Key(HttpBearer):
    """`Authorization: Bearer bw_…`"""

    def __init__(self, scope: str, permission: Permission | None = None) -> None:
        super().__init__()
        self.scope, self.permission = scope, permission

    async def __call__(self, request: HttpRequest) -> Caller | None:
        secret = _secret(request.headers.get("Authorization", ""))
        return None if secret is None else await self.authenticate(request, secret)

    async def authenticate(self, request: HttpRequest, token: str) -> Caller:
        caller = _recent.get(token)
        if caller is None:
            caller = await in_thread(caller_of_key, token)
            _recent.put(token, caller)
        assert caller.key
        within, limits = await rate_limits.count_call(f"key:{caller.key.pk}", now=timezone.now())
        request.rate_limit = limits  # type: ignore[attr-defined]  # it becomes an ApiRequest here
        if not within:
            raise RateLimited(limits["RateLimit-Limit"], limits["RateLimit-Reset"])
        if Scope.STAFF in caller.scopes and not getattr(caller.user, "is_staff", False):
            raise Forbidden("The owner of this key is no longer staff.")
        return caller.require(scope=self.scope, permission=self.permission)


class Session(APIKeyCookie):
    """The cookie of a person who signed in on a page; writes need the CSRF token."""

    param_name = settings.SESSION_COOKIE_NAME

    def __init__(self, scope: str, permission: Permission | None = None) -> None:
        super().__init__()
        self.scope, self.permission = scope, permission

    async def __call__(self, request: HttpRequest) -> Caller | None:
        if settings.SESSION_COOKIE_NAME not in request.COOKIES:
            return None
        return await self.authenticate(request, self._get_key(request))

    async def authenticate(self, request: HttpRequest, key: str | None) -> Caller | None:  # noqa: ARG002
        caller = await _signed_in(request)
        return caller and caller.require(scope=self.scope, permission=self.permission)


async def _signed_in(request: HttpRequest) -> Caller | None:
    """Return the person who signed in on a page, or None."""
    user = await request.auser()
    if not user.is_authenticated:
        return None
    if not user.is_staff:
        return Caller(user, frozenset({Scope.READ, Scope.TRADE}))
    return Caller(user, frozenset(Scope), await in_thread(permissions_of, user))


def needs(scope: str, permission: Permission | None = None) -> list[Any]:
    """Return the `auth` of a route for callers with this scope and, if one is named, this permission."""
    return [Key(scope, permission), Session(scope, permission)]


def _secret(authorization: str) -> str | None:
    """Return what stands behind `Bearer`; None for another scheme."""
    kind, _, secret = authorization.partition(" ")
    return secret.strip() if kind.lower() == "bearer" else None


def caller_of_key(secret: str) -> Caller:
    """Return the owner of the key with this secret. Raise Unauthenticated."""
    key = keys.recognise_key(secret=secret, now=timezone.now())
    permissions = permissions_of(key.user) if Scope.STAFF in key.scopes else frozenset()
    return Caller(key.user, frozenset(key.scopes), permissions, key)


def caller_of(scope: Any) -> Caller:
    """Return who opened a stream: by the key or the session cookie in an ASGI scope. Raise Unauthenticated, Forbidden.

    A browser sends the cookie from any site, so a caller that lets other sites' pages in must check `Origin` first.
    """
    headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
    if b"authorization" in headers:
        secret = _secret(headers[b"authorization"])
        if secret is None:
            raise Unauthenticated
        return caller_of_key(secret).require(scope=Scope.READ)
    cookie = parse_cookie(headers.get(b"cookie", "")).get(settings.SESSION_COOKIE_NAME)
    store = import_module(settings.SESSION_ENGINE).SessionStore(cookie)
    user = get_user(SimpleNamespace(session=store))  # type: ignore[arg-type]  # all that it looks at
    if not cookie or not user.is_authenticated:
        raise Unauthenticated
    return Caller(user, frozenset({Scope.READ}))


NOBODY: Final = Caller(AnonymousUser(), frozenset())  # type: ignore[arg-type]  # no route that asks who it is lets it in


async def anybody(request: HttpRequest) -> Caller:
    """Return the caller of a route that is open to all. A key that does not work is an error, not an anonymous call."""
    if "Authorization" in request.headers:
        caller = await Key(Scope.READ)(request)
        if caller is None:
            raise Unauthenticated
        return caller
    if settings.SESSION_COOKIE_NAME in request.COOKIES:
        return await _signed_in(request) or NOBODY
    return NOBODY
