"""All settings. An installation sets its own in the environment; `.env.example` lists them."""

from email.utils import parseaddr
from typing import Any
from urllib.parse import urlsplit

import dj_database_url
from celery.schedules import crontab
from django.templatetags.static import static

from config import env, logs
from config.env import BASE_DIR, VAR_DIR

# --- The installation ---
DEBUG = env.flag("DEBUG")
SECRET_KEY = env.required("SECRET_KEY", "it signs sessions; any long random text will do.")
BASE_URL = env.text("BASE_URL", "http://127.0.0.1:8000").rstrip("/")
_site = urlsplit(BASE_URL)
_secure = _site.scheme == "https"
ALLOWED_HOSTS = env.words("ALLOWED_HOSTS", f"{_site.hostname},127.0.0.1,localhost,[::1]")
CSRF_TRUSTED_ORIGINS = [f"{_site.scheme}://{_site.netloc}"]

# --- Django ---
INSTALLED_APPS = [
    "daphne",
    "unfold.apps.BasicAppConfig",
    "unfold.contrib.filters",
    "markets.apps.DoorConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.postgres",
    "django.contrib.staticfiles",
    "channels",
    "ninja",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "markets",
]
LEAN_MIDDLEWARE = [  # for requests without a cookie (markets/web/handlers.py)
    "markets.web.middleware.security_headers",
    "markets.web.middleware.api_problems",
    "markets.web.compression.compressed",
    "markets.web.middleware.no_nul",
    "markets.web.middleware.security",
    "markets.web.middleware.common",
]
MIDDLEWARE = [
    *LEAN_MIDDLEWARE,
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "allauth.account.middleware.AccountMiddleware",
]
ROOT_URLCONF = "config.urls"
ASGI_APPLICATION = "config.asgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "markets.web.pages.context.viewer",
            ]
        },
    }
]
APPEND_SLASH = False  # an API path is exact
TIME_ZONE = env.text("TIME_ZONE", "UTC")  # of the admin; the API and the pages say UTC
FORMAT_MODULE_PATH = "config.formats"
LANGUAGE_CODE = "en"
DATA_UPLOAD_MAX_MEMORY_SIZE = 4 * 2**20  # bytes of a request body; a larger one is refused with 413
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in ("MinimumLengthValidator", "CommonPasswordValidator", "NumericPasswordValidator")
]
LOGIN_URL, LOGIN_REDIRECT_URL = "account_login", "home"
CSRF_FAILURE_VIEW = "markets.web.pages.errors.csrf_failure"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# --- Accounts: django-allauth with the forms and rules of markets/web/accounts/ ---
SIGN_UP = env.choice("SIGN_UP", ("open", "invitation", "closed"))
STAFF_SECOND_FACTOR = env.flag("STAFF_SECOND_FACTOR")  # who has none does not enter the admin
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
ACCOUNT_ADAPTER = "markets.web.accounts.adapter.Adapter"
MFA_ADAPTER = "markets.web.accounts.adapter.SecondFactorAdapter"
ACCOUNT_FORMS = {
    "login": "markets.web.accounts.forms.SignInForm",
    "signup": "markets.web.accounts.forms.SignUpForm",
}
ACCOUNT_LOGIN_METHODS = {"username", "email"}
ACCOUNT_SIGNUP_FIELDS = ["username*", "email", "password1*"]
ACCOUNT_SESSION_REMEMBER = True
ACCOUNT_EMAIL_SUBJECT_PREFIX = "Bellwether: "
ACCOUNT_EMAIL_NOTIFICATIONS = True  # of a changed password, a new second factor …
ACCOUNT_MAX_EMAIL_ADDRESSES = 3
ACCOUNT_RATE_LIMITS = {"change_name": "5/m/user"}  # 429.html promises that a minute is enough
ALLAUTH_TRUSTED_PROXY_COUNT = env.number("TRUSTED_PROXIES", 0)
MFA_FORMS = {"add_webauthn": "markets.web.accounts.forms.PasskeyForm"}
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_ALLOW_UNVERIFIED_EMAIL = True  # an address is optional, and so is verifying it
MFA_TOTP_ISSUER = "Bellwether"
MFA_TOTP_TOLERANCE = 1  # the code before and the next one, for clocks that are half a minute off

# --- Security: follows from the scheme of BASE_URL ---
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE_SSL_REDIRECT = _secure
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if _secure else None
SECURE_HSTS_SECONDS = 31_536_000 if _secure else 0
SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$"]

# --- PostgreSQL ---
_embedded = "or run through manage.py to have one embedded."
_postgresql = env.required("DATABASE_URL", f"name a PostgreSQL, {_embedded}")
DATABASES: dict[str, Any] = {
    "default": dj_database_url.parse(_postgresql, engine="markets.infra.postgresql")
}
_options = (
    "-c random_page_cost=1.1"  # an SSD or memory: a random page costs little more than the next one
    # Search forgives typing errors: "relaese" and "release" share 0.27 of their trigrams.
    " -c pg_trgm.similarity_threshold=0.25 -c plan_cache_mode=force_generic_plan"
)
if env.flag("DATABASE_TIME_LIMITS", default=True):
    # A stuck row, statement or network holds up nobody else: too long a wait ends in a 503.
    _options += " -c lock_timeout=2s -c statement_timeout=10s"
    _options += " -c idle_in_transaction_session_timeout=20s"
DATABASES["default"]["OPTIONS"] = {
    "pool": {"min_size": 0, "max_size": env.number("DATABASE_POOL", 20, least=1), "timeout": 5},
    "prepare_threshold": 5,  # only a trade asks for prepared statements; Django's own are none
    "options": _options,
    "connect_timeout": 5,  # seconds
    "keepalives_idle": 10,
    "keepalives_interval": 3,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,  # ms
}

# --- Redis: cache, doorbell, broker ---
REDIS_URL = env.required("REDIS_URL", f"name a Redis, {_embedded}")
_redis_seconds = 0.5  # a cache that takes longer to answer is treated as absent
CACHES: dict[str, Any] = {
    "default": {
        "BACKEND": "django_redis.cache.RedisCache",
        "LOCATION": REDIS_URL,
        "OPTIONS": {"SOCKET_CONNECT_TIMEOUT": _redis_seconds, "SOCKET_TIMEOUT": _redis_seconds},
    }
}
# Not "default": then each viewer's consumer would open a channel; live/relay.py has one a process.
CHANNEL_LAYERS = {
    "doorbell": {
        "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
        # pub/sub is the same in all databases of a Redis: the prefix keeps installations apart
        "CONFIG": {"hosts": [REDIS_URL], "prefix": f"bellwether{urlsplit(REDIS_URL).path}"},
    }
}

# --- Celery (config/celery.py reads the CELERY_ names) ---
CELERY_BROKER_URL = REDIS_URL
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "visibility_timeout": 3600,  # seconds; after that even a running task is sent again
    "socket_connect_timeout": 1,
    "socket_timeout": 5,
    "max_retries": 1,  # of a connection: a web request must not wait for a broker that is down
    "interval_start": 0,
    "interval_step": 0,
    "interval_max": 0,
}
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_TASK_PUBLISH_RETRY = False  # tasks/clock.py finds in the database what was not sent
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_IGNORE_RESULT = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS = True
CELERY_TASK_TIME_LIMIT = 1800  # seconds
CELERY_BEAT_SCHEDULE = {
    task: {"task": f"markets.tasks.{task}", "schedule": schedule, "options": {"expires": expires}}
    for task, schedule, expires in (
        ("clock.move_due_markets", 2.0, 10),  # seconds
        ("reactions.react_to_trades", 1.0, 5),
        ("clock.dispatch_pending", 5.0, 10),
        ("clock.audit_ledger", crontab(hour=3, minute=30), None),
    )
}
CELERY_BEAT_SCHEDULE_FILENAME = str(VAR_DIR / "beat-schedule")

# --- Files and mail ---
STATIC_URL = "/static/"
STATIC_ROOT = VAR_DIR / "static"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "config.static.HashedFiles"},
}
SERVESTATIC_SKIP_COMPRESS_EXTENSIONS = ["png", "gif", "woff2", "gz", "map"]
MEDIA_ROOT = env.text("MEDIA_ROOT", str(VAR_DIR / "media"))
EMAIL_BACKEND = env.text("EMAIL_BACKEND", "django.core.mail.backends.console.EmailBackend")
EMAIL_HOST = env.text("EMAIL_HOST", "localhost")
EMAIL_PORT = env.number("EMAIL_PORT", 25)
EMAIL_HOST_USER = env.text("EMAIL_HOST_USER", "")
EMAIL_HOST_PASSWORD = env.text("EMAIL_HOST_PASSWORD", "")
EMAIL_USE_TLS = env.flag("EMAIL_USE_TLS")
EMAIL_TIMEOUT = 10  # seconds
DEFAULT_FROM_EMAIL = env.text("DEFAULT_FROM_EMAIL", f"Bellwether <bellwether@{_site.hostname}>")
CONTACT_EMAIL = env.text("CONTACT_EMAIL", parseaddr(DEFAULT_FROM_EMAIL)[1])  # shown to people

# --- Logs (config/logs.py) ---
LOGGING_CONFIG = None
logs.configure(
    json=env.text("LOG_FORMAT", "console" if DEBUG else "json") == "json",
    level=env.text("LOG_LEVEL", "INFO"),
)

# --- Bellwether ---
# with it, one person proposes a resolution and, so many hours later, another approves it
RESOLUTION_REVIEW_HOURS = (
    env.number("RESOLUTION_REVIEW_HOURS", 0) if env.text("RESOLUTION_REVIEW_HOURS", "") else None
)
SHOW_HOLDINGS = env.flag("SHOW_HOLDINGS", default=True)  # beside what their holder comments
STARTING_GRANT = env.number("STARTING_GRANT", 1000) * 1_000_000  # micro-credits of a new trader
LOG_HOT_ONE_IN = env.number("LOG_HOT_ONE_IN", 100, least=1)  # of the answers from memory
# Open streams in each process.
STREAMS_PER_ADDRESS = env.number("STREAMS_PER_ADDRESS", 500, least=1)
STREAMS_PER_PROCESS = env.number("STREAMS_PER_PROCESS", 10_000, least=1)
API_RATE_LIMIT = env.number("API_RATE_LIMIT", 600, least=1)  # calls a minute and key

UNFOLD = {
    "SITE_TITLE": "Bellwether",
    "SITE_HEADER": "Bellwether",
    "SITE_SYMBOL": "query_stats",
    "SITE_URL": "/",
    "TABS": "markets.admin.navigation.tabs",
    "STYLES": [lambda _request: static("markets/admin.css")],
    "DASHBOARD_CALLBACK": "markets.admin.home.work_queue",
    "SIDEBAR": {"navigation": "markets.admin.navigation.sidebar"},
    "COMMAND": {"search_callback": "markets.admin.navigation.search"},
    "SITE_FAVICONS": [
        {
            "rel": "icon",
            "type": "image/svg+xml",
            "href": lambda _request: static("markets/icon.svg"),
        }
    ],
    "COLORS": {
        "primary": {
            "50": "#eef4ff", "100": "#dbe6fe", "200": "#bfd3fe", "300": "#93b4fd",
            "400": "#6090fa", "500": "#3b6df6", "600": "#254feb", "700": "#1d3cd8",
            "800": "#1e33af", "900": "#1e318a", "950": "#172054",
        }
    },
}  # fmt: skip
