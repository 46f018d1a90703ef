"""Who may come through which door: the table, and how an answer is read.

A row names a door, the roles that it lets in, and the roles for whom there is nothing (404); everybody else is refused.
What stands behind ` · ` says which thing or which request is meant where one door has several rows.
"""

from __future__ import annotations

from typing import NamedTuple
from urllib.parse import urlsplit

import httpx

# The most powerful are asked first: what they were shown must not be kept for those who come later.
EVERYBODY = "superuser editor editor-key resolver auditor treasurer viewer plain owner trader trade-key read-key anonymous"
ROLES = EVERYBODY.split()
SIGNED_IN = " ".join(ROLES[:-1])
STAFF = (
    "superuser editor resolver auditor treasurer viewer plain"  # by session: a key opens no page
)
SESSIONS = f"{STAFF} owner trader"  # by session: a key opens no page
TRADES = (
    "superuser editor editor-key resolver auditor treasurer viewer plain owner trader trade-key"
)
SEES_DRAFTS = "superuser editor editor-key resolver auditor viewer"  # view_market
SEES_DRAFT_PAGES = "superuser editor resolver auditor viewer"
EDITORS = "superuser editor editor-key"  # add_market, change_market, operate_market, import_markets
EDITORS_BY_HAND = "superuser editor"
RESOLVERS = "superuser resolver"  # resolve_market
AUDITORS = "superuser auditor"  # export_data
NOBODY = ""
THE_OTHERS = "the others"


class Row(NamedTuple):
    """One door and who gets in."""

    door: str
    allowed: str
    hidden: str = ""

    def expected(self) -> dict[str, str]:
        """What each role should get."""
        allowed = set(self.allowed.split())
        hidden = set(ROLES) if self.hidden == THE_OTHERS else set(self.hidden.split())
        assert allowed | hidden <= set(ROLES)
        return {
            role: "allowed" if role in allowed else "hidden" if role in hidden else "refused"
            for role in ROLES
        }

    def bare(self) -> str:
        return self.door.split(" · ")[0]


MARKET = "/api/v1/markets/{int:market_id}"

API = [Row(*row) for row in (
    ("GET /api/v1/openapi.json", EVERYBODY),
    ("GET /api/v1/docs", EVERYBODY),
    ("GET /api/v1/", NOBODY, EVERYBODY),  # only a name for the address
    # Reading
    ("GET /api/v1/markets/", EVERYBODY),
    ("GET /api/v1/markets/ · only drafts", SEES_DRAFTS),
    (f"GET {MARKET}", EVERYBODY),
    (f"GET {MARKET} · a draft", SEES_DRAFTS, THE_OTHERS),
    (f"GET {MARKET}/events", EVERYBODY),
    (f"GET {MARKET}/events · a draft", SEES_DRAFTS, THE_OTHERS),
    (f"GET {MARKET}/trades", EVERYBODY),
    (f"GET {MARKET}/trades · a draft", SEES_DRAFTS, THE_OTHERS),
    (f"GET {MARKET}/history", EVERYBODY),
    (f"GET {MARKET}/history · a draft", NOBODY, EVERYBODY),  # nobody traded it: it has no prices over time
    (f"GET {MARKET}/candlesticks", EVERYBODY),
    (f"GET {MARKET}/candlesticks · a draft", NOBODY, EVERYBODY),
    ("GET /api/v1/categories/", EVERYBODY),
    ("GET /api/v1/tags/", EVERYBODY),
    # Trading
    (f"POST {MARKET}/quote", EVERYBODY),
    (f"POST {MARKET}/quote · a draft", NOBODY, EVERYBODY),
    (f"POST {MARKET}/trades", TRADES),
    (f"POST {MARKET}/trades · a draft", NOBODY, TRADES),
    # Comments
    (f"GET {MARKET}/comments", EVERYBODY),
    (f"GET {MARKET}/comments · a draft", SEES_DRAFTS, THE_OTHERS),
    (f"POST {MARKET}/comments", TRADES),
    (f"POST {MARKET}/comments · a draft", NOBODY, TRADES),
    ("PATCH /api/v1/comments/{int:comment_id} · the owner's", "owner"),
    ("POST /api/v1/comments/{int:comment_id}/report · the owner's", TRADES),
    # One's own
    ("GET /api/v1/me", SIGNED_IN),
    ("GET /api/v1/me/positions", SIGNED_IN),
    ("GET /api/v1/me/trades", SIGNED_IN),
    ("GET /api/v1/me/ledger", SIGNED_IN),
    ("GET /api/v1/me/keys/", SIGNED_IN),
    ("POST /api/v1/me/keys/", SIGNED_IN),
    ("POST /api/v1/me/keys/ · that may trade", TRADES),  # a key makes none that may do more than itself
    ("POST /api/v1/me/keys/ · of the scope staff", f"{STAFF} editor-key"),
    ("DELETE /api/v1/me/keys/{int:key_id} · the owner's", "owner", SIGNED_IN),
    ("DELETE /api/v1/me/keys/{int:key_id} · the trader's, which may trade", "trader trade-key", f"{STAFF} editor-key owner"),
    # Managing
    ("POST /api/v1/markets/", EDITORS),
    ("POST /api/v1/markets/ · that is open at once", EDITORS),
    ("POST /api/v1/markets/import", EDITORS),
    (f"PATCH {MARKET}", EDITORS),
    (f"PATCH {MARKET} · a draft", EDITORS),
    (f"POST {MARKET}/schedule", EDITORS),
    (f"POST {MARKET}/open", EDITORS),
    (f"POST {MARKET}/pause", EDITORS),
    (f"POST {MARKET}/close", EDITORS),
    (f"POST {MARKET}/resolve", RESOLVERS),
    (f"POST {MARKET}/resolve · only to see what it would pay", RESOLVERS),
    (f"POST {MARKET}/unresolve", RESOLVERS),
    (f"POST {MARKET}/cancel", RESOLVERS),
    # Reports
    ("POST /api/v1/reports/", AUDITORS),
    ("GET /api/v1/reports/{int:report_id}", AUDITORS),
    ("GET /api/v1/reports/{int:report_id}/download", AUDITORS),
)]  # fmt: skip

PAGES = [Row(*row) for row in (
    ("GET /", EVERYBODY),
    ("GET /markets/<slug:slug>", EVERYBODY),
    ("GET /markets/<slug:slug> · a draft", SEES_DRAFT_PAGES, THE_OTHERS),
    ("GET /markets/<slug:slug>/trade", EVERYBODY),  # only leads to the market
    ("POST /markets/<slug:slug>/trade", f"{STAFF} owner trader"),
    ("GET /markets/<slug:slug>/object", EVERYBODY),  # only leads to the market
    ("POST /markets/<slug:slug>/object", f"{STAFF} owner trader"),  # by session: a key opens no page
    ("GET /markets/<slug:slug>/comment", EVERYBODY),  # only leads to the market
    ("POST /markets/<slug:slug>/comment", EVERYBODY),  # who is signed out keeps what they wrote
    ("GET /markets/<slug:slug>/comments/<int:comment_id>", EVERYBODY),
    ("GET /markets/<slug:slug>/comments/<int:comment_id>/edit", EVERYBODY),
    ("POST /markets/<slug:slug>/comments/<int:comment_id>/edit", EVERYBODY),
    ("GET /markets/<slug:slug>/comments/<int:comment_id>/report", EVERYBODY),
    ("POST /markets/<slug:slug>/comments/<int:comment_id>/report", SESSIONS),
    ("GET /portfolio", SESSIONS),
    ("GET /portfolio/statement", SESSIONS),
    ("GET /portfolio/statement.csv", SESSIONS),
    ("GET /settings/keys", SESSIONS),
    ("POST /settings/keys", SESSIONS),
    ("GET /settings/keys/<int:key_id>/revoke", SESSIONS),  # only leads to the keys
    ("POST /settings/keys/<int:key_id>/revoke · the owner's", "owner", f"{STAFF} trader"),
    ("GET /calendar.ics", EVERYBODY),
    ("GET /robots.txt", EVERYBODY),
    ("GET /favicon.ico", EVERYBODY),  # leads to the icon
    ("GET /healthz", EVERYBODY),
    ("GET /readyz", EVERYBODY),
    ("GET /metrics", EVERYBODY),
    ("GET /admin", EVERYBODY),  # only leads to /admin/
    ("GET /login", NOBODY),  # only leads to sign in
    ("GET /signup", EVERYBODY),  # only leads there
)]  # fmt: skip

BY_SESSION = f"{STAFF} owner trader"
ACCOUNTS = [Row(*row) for row in (  # django-allauth's; who has no session is led to sign in
    ("GET /settings", BY_SESSION),
    ("POST /settings", BY_SESSION),
    *((f"GET /account/{path}", EVERYBODY) for path in (
        "login/", "logout/", "inactive/", "signup/", "confirm-email/", r"confirm-email/(?P<key>[-:\w]+)/",
        "password/reset/", "password/reset/done/", "password/reset/key/done/",
        "password/reset/key/(?P<uidb36>[0-9A-Za-z]+)-(?P<key>.+)/",
    )),
    *((f"GET /account/{path}", BY_SESSION) for path in (
        "reauthenticate/", "email/", "password/change/", "password/set/", "2fa/", "2fa/reauthenticate/",
        "2fa/totp/activate/", "2fa/recovery-codes/generate/",
        "2fa/webauthn/", "2fa/webauthn/add/", "2fa/webauthn/reauthenticate/",
        "2fa/webauthn/keys/<int:pk>/remove/", "2fa/webauthn/keys/<int:pk>/edit/",
        # steps of signing in, which only lead to its beginning, or on
        "login/code/confirm/", "2fa/authenticate/", "2fa/webauthn/login/",
    )),
    *((f"GET /account/2fa/{path}", NOBODY, BY_SESSION) for path in (  # nobody has a second factor
        "totp/deactivate/", "recovery-codes/", "recovery-codes/download/",
    )),
)]  # fmt: skip

STREAMS = [Row(*row) for row in (
    ("SSE /api/v1/markets/stream", EVERYBODY),
    ("SSE /api/v1/markets/<int:market_id>/stream", EVERYBODY),
    ("SSE /api/v1/markets/<int:market_id>/stream · a draft", NOBODY, EVERYBODY),  # a draft has no viewers
    ("SSE /api/v1/me/stream", SIGNED_IN),
    ("WS /ws/v1/stream", EVERYBODY),
    ("WS /ws/v1/stream · from a page of another site", NOBODY),
    ("WS /", NOBODY),  # any other address
    ("COMMAND ping", EVERYBODY),
    ("COMMAND subscribe markets", EVERYBODY),
    ("COMMAND subscribe markets · a draft", NOBODY, EVERYBODY),
    ("COMMAND subscribe markets · one and a draft", NOBODY, EVERYBODY),
    ("COMMAND subscribe all", EVERYBODY),
    ("COMMAND subscribe me", SIGNED_IN),
    ("COMMAND unsubscribe markets", EVERYBODY),
    ("COMMAND unsubscribe all", EVERYBODY),
    ("COMMAND unsubscribe me", EVERYBODY),  # one stops hearing what one may not have heard
)]  # fmt: skip

_PERSON = "/admin/auth/user/<path:object_id>"
_SEES_PEOPLE = "superuser treasurer auditor"  # view_user

SITE = [Row(*row) for row in (  # of the admin, beside the pages of its models
    ("GET /admin/", STAFF),
    ("GET /admin/login/", STAFF),  # leads on; others to the sign-in page of everybody, or nowhere
    ("GET /admin/logout/", STAFF),
    ("GET /admin/password_change/", STAFF),
    ("GET /admin/password_change/done/", STAFF),
    ("GET /admin/search/", STAFF),
    ("GET /admin/jsi18n/", STAFF),
    ("GET /admin/(?P<app_label>markets|auth)/ · markets", STAFF.replace(" plain", ""), "plain"),
    ("GET /admin/(?P<app_label>markets|auth)/ · auth", _SEES_PEOPLE, STAFF),
    ("GET /admin/r/<path:row>", NOBODY, EVERYBODY),  # would name a draft's page
    ("GET /admin/r/<path:content_type_id>/<path:object_id>/ · a market", NOBODY, EVERYBODY),
    ("GET /admin/r/<path:content_type_id>/<path:object_id>/ · a draft", NOBODY, EVERYBODY),
    ("GET /admin/autocomplete/ · markets.market.category", SEES_DRAFT_PAGES),
    ("GET /admin/autocomplete/ · markets.market.tags", SEES_DRAFT_PAGES),
    ("GET /admin/autocomplete/ · markets.report.market", SEES_DRAFT_PAGES),
    ("GET /admin/autocomplete/ · markets.categoryfollow.user", _SEES_PEOPLE),
    ("GET /admin/autocomplete/ · markets.categoryfollow.category", SEES_DRAFT_PAGES),
    ("GET /admin/markets/report/<path:object_id>/retry/", AUDITORS),
    ("POST /admin/markets/report/<path:object_id>/retry/", AUDITORS),
    ("GET /admin/auth/user/<id>/password/", "superuser"),
    ("POST /admin/auth/user/<id>/password/", "superuser"),
    (f"GET {_PERSON}/statement/", _SEES_PEOPLE),
    (f"GET {_PERSON}/positions/", _SEES_PEOPLE),
    (f"GET {_PERSON}/trades/", _SEES_PEOPLE),
    (f"GET {_PERSON}/keys/", "superuser auditor"),
    (f"GET {_PERSON}/notifications/", "superuser auditor"),
    (f"GET {_PERSON}/grant/", "superuser treasurer"),
    (f"POST {_PERSON}/grant/", "superuser treasurer"),
    (f"GET {_PERSON}/suspend/", "superuser"),  # no group has change_user
    (f"POST {_PERSON}/suspend/", "superuser"),
    (f"GET {_PERSON}/lift/", "superuser"),
    (f"POST {_PERSON}/lift/", "superuser"),
    (f"GET {_PERSON}/remove_factor/", "superuser"),
    (f"POST {_PERSON}/remove_factor/", "superuser"),
    ("GET /admin/markets/invitation/invite/", "superuser"),  # no group has invite_people
    ("POST /admin/markets/invitation/invite/", "superuser"),
    (f"GET {_PERSON}/issue_key/", "superuser"),  # no group has manage_keys
    (f"POST {_PERSON}/issue_key/", "superuser"),
    ("GET /admin/markets/market/calendar/", SEES_DRAFT_PAGES),
    ("GET /admin/markets/market/preview/", EDITORS_BY_HAND),
    ("POST /admin/markets/market/preview/", EDITORS_BY_HAND),
    ("GET /admin/markets/market/import/", "superuser editor"),
    ("POST /admin/markets/market/import/", "superuser editor"),
    *((f"GET /admin/markets/{model}/export_{kind}/", AUDITORS)
      for model in ("market", "trade", "position", "journalentry") for kind in ("csv", "xlsx")),
    ("GET /admin/(?P<url>.*)", NOBODY, STAFF),  # any other address
)]  # fmt: skip

_MONEY = "superuser treasurer auditor viewer"
_TRADED = "superuser treasurer resolver auditor viewer"
_EDITS = "superuser editor"
_ON_MANY = dict.fromkeys(
    ("schedule", "open", "pause", "close", "move_closing", "set_category", "add_tags", "duplicate"), _EDITS
) | {"cancel": RESOLVERS}  # fmt: skip

MODELS = {  # who sees, adds, changes and deletes; and who has which action beside the deleting of what is chosen
    "markets.market": (SEES_DRAFT_PAGES, _EDITS, _EDITS, NOBODY, _ON_MANY),
    "markets.job": (SEES_DRAFT_PAGES, NOBODY, NOBODY, NOBODY, {}),
    "markets.category": (SEES_DRAFT_PAGES, _EDITS, _EDITS, _EDITS, {}),
    "markets.tag": (SEES_DRAFT_PAGES, _EDITS, _EDITS, _EDITS, {}),
    "markets.event": (SEES_DRAFT_PAGES, NOBODY, NOBODY, NOBODY, {}),
    "markets.resolution": (SEES_DRAFT_PAGES, NOBODY, NOBODY, NOBODY, {}),
    "markets.comment": ("superuser editor auditor viewer", NOBODY, NOBODY, NOBODY, {}),
    "markets.report": ("superuser auditor viewer", AUDITORS, NOBODY, NOBODY, {}),
    "markets.account": (_MONEY, "superuser treasurer", NOBODY, NOBODY, {"grant": "superuser treasurer"}),
    "markets.journalentry": (_MONEY, NOBODY, NOBODY, NOBODY, {}),
    "markets.auditrun": (_MONEY, NOBODY, NOBODY, NOBODY, {}),
    "markets.trade": (_TRADED, NOBODY, NOBODY, NOBODY, {}),
    "markets.position": (_TRADED, NOBODY, NOBODY, NOBODY, {}),
    "markets.notification": ("superuser auditor viewer", NOBODY, NOBODY, NOBODY, {}),
    "markets.categoryfollow": ("superuser auditor viewer", "superuser", "superuser", "superuser", {}),
    "markets.apikey": ("superuser auditor viewer", NOBODY, NOBODY, NOBODY, {"revoke": "superuser"}),  # no group has manage_keys
    "markets.invitation": ("superuser viewer", NOBODY, NOBODY, NOBODY, {"withdraw": "superuser"}),  # … nor invite_people
    "auth.user": (_SEES_PEOPLE, "superuser", "superuser", "superuser", {}),
    "auth.group": ("superuser", "superuser", "superuser", "superuser", {}),
}  # fmt: skip

STEPS = {  # pages of one row, by their buttons on the row's own page: form, preview, confirmation
    "markets.market": {
        **dict.fromkeys(("schedule", "open", "pause", "close"), _EDITS),
        **dict.fromkeys(("resolve", "unresolve", "cancel"), RESOLVERS),
        **dict.fromkeys(("propose", "approve", "reject"), RESOLVERS),
    },
    "markets.comment": dict.fromkeys(("keep", "hide", "show", "pin", "unpin"), EDITORS_BY_HAND),
    # a job is its proposer's, here an editor's: nobody else confirms it, not even a superuser
    "markets.job": {"confirm": "editor", "retry": "editor"},
}


def rows_of_models() -> list[Row]:
    """`MODELS`, an address a row. A GET shows, a POST without a value is what a form would send that was left empty."""
    rows = []
    for model, (sees, adds, changes, deletes, actions) in MODELS.items():
        base = f"/admin/{model.replace('.', '/')}/"
        one = f"{base}<path:object_id>/"
        rows += [
            Row(f"GET {base}", sees),
            Row(f"GET {one}", STAFF),  # only leads to the next
            Row(f"GET {one}change/", sees),
            Row(f"GET {one}history/", sees),
            Row(f"GET {base}add/", adds),
            Row(f"POST {base}add/", adds),
            Row(f"POST {one}change/", changes),
            Row(f"GET {one}delete/", deletes),
        ]
        for step, who in STEPS.get(model, {}).items():
            rows += [Row(f"GET {one}{step}/", who), Row(f"POST {one}{step}/", who)]
        rows += (
            Row(f"ACTION {base} {name}", who)
            for name, who in {"delete_selected": deletes, **actions}.items()
        )
    return rows


ADMIN = [*SITE, *rows_of_models()]
TABLE = [*API, *PAGES, *ACCOUNTS, *STREAMS, *ADMIN]


def read(answer: httpx.Response) -> str:
    """What an answer says to who asked: allowed, refused or hidden; or what is for the door to say."""
    status, where = answer.status_code, urlsplit(answer.headers.get("Location", "")).path
    assert status < 500, (answer.request.url, status)
    assert status not in {400, 415, 429}, (answer.request.url, status, "a wrong question")
    if status in {401, 403} or where in {"/admin/login/", "/account/login/"}:
        return "refused"
    if status in {404, 405}:
        return "hidden" if status == 404 else "not by this method"
    return f"sent to {where}" if where == "/admin/" else "allowed"
