"""`/ws/v1/stream`: one connection that follows some markets, all of them, or what is the caller's own."""

import asyncio
import json
from typing import Annotated, Any, Final, Literal

import structlog
from channels.generic.websocket import AsyncWebsocketConsumer
from django.conf import settings
from django.db import DatabaseError
from django.http.request import split_domain_port, validate_host
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from markets.caching import shared
from markets.domain.errors import Invalid, Refused
from markets.live import relay
from markets.live.frames import Frame
from markets.live.lobby import LobbyFeed
from markets.live.market import MarketFeed
from markets.live.viewer import Feed, Viewer
from markets.web.streams.connection import Connection

logger = structlog.get_logger("bellwether.live")

MOST_FEEDS: Final = 1000  # of one connection
LONGEST_COMMAND: Final = 64 * 1024  # characters
BURST: Final = 50  # commands at once
STEADY: Final = 10  # commands a second; who sends more is closed

FLOODED, AGAIN_LATER, RESTARTING = (
    1008,
    1013,
    1012,
)  # close codes: RFC 6455 and the registry of IANA

Number = Annotated[int, Field(ge=0, le=2**63 - 1)]


class Command(BaseModel):
    """What a client sends. `markets` or `channel`, unless it is a ping."""

    model_config = ConfigDict(extra="forbid")

    id: int | str | None = None
    cmd: Literal["subscribe", "unsubscribe", "ping"]
    markets: (
        Annotated[list[Number], Field(min_length=1, max_length=MOST_FEEDS)] | Literal["all"] | None
    ) = None
    channel: Literal["me"] | None = None
    after_seq: dict[Number, Number] = {}
    after: Annotated[str, Field(pattern=r"^[0-9]{1,18}\.[0-9]{1,18}$")] | None = None

    def keys(self) -> list[Any]:
        """The feeds that are meant. Raises Invalid."""
        if self.cmd != "ping" and (self.markets is None) == (self.channel is None):
            raise Invalid(
                markets='Give either markets (a list of ids, or "all") or channel ("me").'
            )
        if self.markets is None:
            return [self.channel] if self.channel else []
        return ["all"] if self.markets == "all" else list(dict.fromkeys(self.markets))


class SocketStream(Connection, AsyncWebsocketConsumer):
    """One viewer with as many feeds as it asks for."""

    async def connect(self) -> None:
        if not from_here(self.scope):
            await self.close()
            return
        await self.accept()
        try:
            self.hub = await relay.hub()
            viewer = self.admit()
        except (Refused, OSError, TimeoutError) as error:
            code = error.code if isinstance(error, Refused) else "unavailable"
            await self.send(json.dumps({"type": "error", "code": code, "detail": str(error)}))
            await self.close(AGAIN_LATER)
            return
        self.allowance, self.counted_at = float(BURST), viewer.clock()
        self.pump = asyncio.create_task(self._pump(viewer))

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:  # noqa: ARG002
        viewer = self.viewer
        if viewer is None:
            return
        now = viewer.clock()
        self.allowance = min(BURST, self.allowance + (now - self.counted_at) * STEADY) - 1
        self.counted_at = now
        if self.allowance < 0:
            self.viewer = None  # what is still in the queue is not looked at
            self.hub.dismiss(viewer)
            await self.close(FLOODED)
            return
        asked: Any = None
        try:
            if text_data is None:
                raise Invalid(message="Commands are JSON texts, not binary.")
            if len(text_data) > LONGEST_COMMAND:
                raise Invalid(message=f"A command has at most {LONGEST_COMMAND} characters.")
            asked = self._parsed(text_data)
            command = Command.model_validate(asked)
            await self._obey(viewer, command)
        except ValidationError as error:
            facts = [
                {"field": ".".join(map(str, e["loc"])), "message": e["msg"]}
                for e in error.errors()[:5]
            ]
            detail = "; ".join(f"{fact['field']}: {fact['message']}" for fact in facts)
            self._complain(viewer, asked, "validation_error", detail, errors=facts)
        except Refused as error:
            self._complain(viewer, asked, error.code, str(error))
        except (OSError, TimeoutError, DatabaseError) as error:
            logger.warning("command_failed", error=repr(error))
            self._complain(
                viewer,
                asked,
                "unavailable",
                "This cannot be done right now: try again in a moment.",
            )

    @staticmethod
    def _parsed(text: str) -> dict[str, Any]:
        try:
            asked = json.loads(text)
        except (ValueError, RecursionError):
            asked = None
        if not isinstance(asked, dict):
            raise Invalid(
                message='A command is a JSON object, such as {"id": 1, "cmd": "subscribe", "markets": [12]}.'
            )
        return asked

    async def _obey(self, viewer: Viewer, command: Command) -> None:
        keys = command.keys()
        if command.cmd == "ping":
            viewer.say([_answer(command, "pong")])
            return
        facts = (
            {"markets": command.markets}
            if command.markets is not None
            else {"channel": command.channel}
        )
        answer = _answer(command, f"{command.cmd}d", **facts)
        if command.cmd == "unsubscribe":
            for key in keys:
                viewer.unfollow(key)
            viewer.say([answer])
            return
        new = [key for key in keys if key not in viewer.feeds]
        if len(viewer.feeds) + len(new) > MOST_FEEDS:
            raise Invalid(
                markets=f'A connection follows at most {MOST_FEEDS} markets; "all" follows every one.'
            )
        await self._follow(viewer, command, new, answer)

    async def _follow(
        self, viewer: Viewer, command: Command, keys: list[Any], answer: Frame
    ) -> None:
        """All or none: the answer, then the first frames of each, then whatever comes."""
        with viewer.held():
            viewer.say([answer])
            for key in keys:
                after = (
                    command.after
                    if key == "me"
                    else command.after_seq.get(key)
                    if key != "all"
                    else None
                )
                await viewer.follow(
                    await self._feed(viewer, key), None if after is None else str(after)
                )

    async def _feed(self, viewer: Viewer, key: Any) -> Feed:
        if key == "all":
            return LobbyFeed(viewer, self.hub.lobby)
        if key == "me":
            return await self.own_feed(viewer)
        return MarketFeed(viewer, self.hub.topics, key, shared.read_market)

    @staticmethod
    def _complain(viewer: Viewer, asked: Any, code: str, detail: str, **more: Any) -> None:
        number = asked.get("id") if isinstance(asked, dict) else None
        number = number if isinstance(number, int | str) else None
        viewer.say(
            [Frame(0, 0, {"id": number, "type": "error", "code": code, "detail": detail, **more})]
        )

    async def _pump(self, viewer: Viewer) -> None:
        """Write what arrives until the viewer goes or is asked to come back later."""
        send, clock = self.base_send, viewer.clock
        try:
            while viewer.return_ms is None:
                for frame in await viewer.next():
                    viewer.writing_since = clock()
                    await send({"type": "websocket.send", "text": frame.json})
                viewer.writing_since, viewer.wrote_at = None, clock()
            await self.send(json.dumps({"type": "goodbye", "reconnect_after_ms": viewer.return_ms}))
            await self.close(RESTARTING)
        except Exception:
            logger.exception("stream_failed")
            await self.close(1011)
        finally:
            self.hub.dismiss(viewer)


def _answer(command: Command, kind: str, **facts: Any) -> Frame:
    return Frame(0, 0, {"id": command.id, "type": kind, **facts})


def from_here(scope: Any) -> bool:
    """Whether the page that asks is one of this site's. A program sends no `Origin`; a browser always does."""
    headers = dict(scope["headers"])
    origin = headers.get(b"origin", b"").decode("latin-1")
    if not origin or origin in settings.CSRF_TRUSTED_ORIGINS:
        return True
    host = headers.get(b"host", b"").decode("latin-1")
    domain, _ = split_domain_port(host)
    return origin in {f"http://{host}", f"https://{host}"} and validate_host(
        domain, settings.ALLOWED_HOSTS
    )


class NoSocket(AsyncWebsocketConsumer):
    """Any other address: the handshake is refused."""

    async def connect(self) -> None:
        await self.close()
