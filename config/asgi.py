"""The ASGI application: `daphne config.asgi:application`."""

import gc
import os
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

from django.core.asgi import get_asgi_application

django = get_asgi_application()  # loads the models, which the modules below import

from channels.routing import ProtocolTypeRouter, URLRouter

from config.static import Files
from markets.infra.request_context import RequestLog
from markets.web.handlers import Doors
from markets.web.hot import Hot
from markets.web.streams.routing import sockets, streams

doors = Doors(django, prefixes=("/api/", "/healthz", "/readyz", "/metrics"))
http = URLRouter(streams(otherwise=doors))
routes = ProtocolTypeRouter({"http": http, "websocket": URLRouter(sockets())})
application: Any = Hot(RequestLog(Files(routes)))

# The objects of the start live as long as the process: garbage collection can skip them.
gc.freeze()
gc.set_threshold(1_000, 50, 100)
