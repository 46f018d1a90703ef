"""`/ws/v1/stream`: one connection that follows any markets and the caller's own news."""

import json
from typing import Annotated, Any, Final, Literal

import structlog
from channels.generic.websocket import AsyncWebsocketConsumer
from django.conf import settings
from django.db import DatabaseError
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from markets.domain.errors import Invalid, Refused
from markets.live import relay
from markets.live.frames import Frame
from markets.live.viewer import Viewer
from markets.web.hot.layer import is_allowed_host
from markets.web.streams.connection import Connection

logger = structlog.get_logger("bellwether.live")

MOST_FEEDS: Final = 1000  # of one connection
MOST_COMMAND_CHARACTERS: Final = 64 * 1024
MOST_COMMANDS_AT_ONCE: Final = 50
MOST_COMMANDS_PER_SECOND: Final = 10  # in the long run; faster clients are disconnected

# Close codes: RFC 6455 and https://www.iana.org/assignments/websocket
POLICY_VIOLATION, INTERNAL_ERROR, SERVICE_RESTART, TRY_AGAIN_LATER = 1008, 1011, 1012, 1013

Number = Annotated[int, Field(ge=0, le=2**63 - 1)]
MarketIds = Annotated[list[Number], Field(min_length=1, max_length=MOST_FEEDS)]


class Command(BaseModel):
    """About `markets` or a `channel`, unless it is a ping."""

    model_config = ConfigDict(extra="forbid")

    id: int | str | None = None
    cmd: Literal["subscribe", "unsubscribe", "ping"]
    markets: MarketIds | Literal["all"] | None = None
    channel: Literal["me"] | None = None
    after_seq: dict[Number, Number] = {}
    after: Annotated[str, Field(pattern=r"^[0-9]{1,18}\.[0-9]{1,18}$")] | None = None

    def keys(self) -> list[Any]:
        """Return the keys of the feeds. Raise Invalid."""
        if self.cmd != "ping" and (self.markets is None) == (self.channel is None):
            choice = 'Give either markets (a list of ids, or "all") or channel ("me").'
            raise Invalid(markets=choice)
        if self.markets is None:
            return [self.channel] if self.channel else []
        return ["all"] if self.markets == "all" else list(dict.fromkeys(self.markets))

    def after_position(self, key: Any) -> str | None:
        position = self.after if key == "me" else self.after_seq.get(key)
        return None if position is None else str(position)

    def reply(self, kind: str, **fields: Any) -> Frame:
        return Frame({"id": self.id, "type": kind, **fields})


class SocketStream(Connection, AsyncWebsocketConsumer):
    async def connect(self) -> None:
        if not _is_same_origin(self.scope):
            await self.close()
            return
        await self.accept()
        try:
            self.hub = await relay.hub()
            viewer = self.admit()
        except (Refused, OSError, TimeoutError) as error:
            code = error.code if isinstance(error, Refused) else "unavailable"
            await self.send(json.dumps({"type": "error", "code": code, "detail": str(error)}))
            await self.close(TRY_AGAIN_LATER)
            return
        self.allowance, self.counted_at = float(MOST_COMMANDS_AT_ONCE), viewer.clock()
        self.start_writing(viewer)

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:  # noqa: ARG002
        viewer = self.viewer
        if viewer is None:
            return
        now = viewer.clock()
        earned = (now - self.counted_at) * MOST_COMMANDS_PER_SECOND
        self.allowance = min(MOST_COMMANDS_AT_ONCE, self.allowance + earned) - 1
        self.counted_at = now
        if self.allowance < 0:
            self.viewer = None  # ignore what is still in the queue
            self.hub.dismiss(viewer)
            await self.close(POLICY_VIOLATION)
            return
        sent: dict[str, Any] = {}
        try:
            sent = _parse(text_data)
            await self._obey(viewer, Command.model_validate(sent))
        except ValidationError as error:
            errors = [
                {"field": ".".join(map(str, item["loc"])), "message": item["msg"]}
                for item in error.errors()[:5]
            ]
            detail = "; ".join(f"{item['field']}: {item['message']}" for item in errors)
            _complain(viewer, sent, "validation_error", detail, errors=errors)
        except Refused as error:
            _complain(viewer, sent, error.code, str(error))
        except (OSError, TimeoutError, DatabaseError) as error:
            logger.warning("command_failed", error=repr(error))
            detail = "This cannot be done right now: try again in a moment."
            _complain(viewer, sent, "unavailable", detail)

    async def _obey(self, viewer: Viewer, command: Command) -> None:
        keys = command.keys()
        if command.cmd == "ping":
            viewer.queue([command.reply("pong")])
            return
        target = command.model_dump(include={"markets", "channel"}, exclude_none=True)
        reply = command.reply(f"{command.cmd}d", **target)
        if command.cmd == "unsubscribe":
            for key in keys:
                viewer.unfollow(key)
            viewer.queue([reply])
            return
        new = [key for key in keys if key not in viewer.feeds]
        if len(viewer.feeds) + len(new) > MOST_FEEDS:
            limit = f"A connection follows at most {MOST_FEEDS} markets"
            raise Invalid(markets=f'{limit}; "all" follows every one.')
        with viewer.all_or_nothing():
            viewer.queue([reply])
            for key in new:
                await viewer.follow(await self.feed(viewer, key), command.after_position(key))

    async def write(self, viewer: Viewer) -> None:
        send, clock = self.base_send, viewer.clock
        while viewer.reconnect_ms is None:
            for frame in await viewer.next():
                viewer.writing_since = clock()
                await send({"type": "websocket.send", "text": frame.json})
            viewer.writing_since, viewer.wrote_at = None, clock()

    async def finish(self, reconnect_ms: int | None) -> None:
        if reconnect_ms is None:
            await self.close(INTERNAL_ERROR)
            return
        await self.send(json.dumps({"type": "goodbye", "reconnect_after_ms": reconnect_ms}))
        await self.close(SERVICE_RESTART)


def _parse(text: str | None) -> dict[str, Any]:
    """Return a JSON object. Raise Invalid."""
    if text is None:
        raise Invalid(message="Commands are JSON texts, not binary.")
    if len(text) > MOST_COMMAND_CHARACTERS:
        raise Invalid(message=f"A command has at most {MOST_COMMAND_CHARACTERS} characters.")
    try:
        sent = json.loads(text)
    except (ValueError, RecursionError):
        sent = None
    if not isinstance(sent, dict):
        example = '{"id": 1, "cmd": "subscribe", "markets": [12]}'
        raise Invalid(message=f"A command is a JSON object, such as {example}.")
    return sent


def _complain(viewer: Viewer, sent: dict[str, Any], code: str, detail: str, **more: Any) -> None:
    number = sent.get("id")
    number = number if isinstance(number, int | str) else None
    message = {"id": number, "type": "error", "code": code, "detail": detail, **more}
    viewer.queue([Frame(message)])


def _is_same_origin(scope: Any) -> bool:
    """Whether a page of this site connects, or a program: only browsers send `Origin`."""
    headers = dict(scope["headers"])
    origin = headers.get(b"origin", b"").decode("latin-1")
    if not origin or origin in settings.CSRF_TRUSTED_ORIGINS:
        return True
    host = headers.get(b"host", b"")
    scheme, _, rest = origin.partition("://")
    return scheme in {"http", "https"} and rest == host.decode("latin-1") and is_allowed_host(host)


class NoSocket(AsyncWebsocketConsumer):
    """Refuses the handshake at any other address."""

    async def connect(self) -> None:
        await self.close()
