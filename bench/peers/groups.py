"""Peer: the fan-out that Channels documents, a channel of its own for every viewer in one group of the channel layer."""

from __future__ import annotations

import os

from django.conf import settings

LAYERS = {
    "core": {"BACKEND": "channels_redis.core.RedisChannelLayer", "CONFIG": {"capacity": 100_000}},
    "pubsub": {"BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer", "CONFIG": {}},
}
layer = LAYERS[os.environ["PEER_LAYER"]]
layer["CONFIG"]["hosts"] = [os.environ["REDIS_URL"]]  # type: ignore[index]
settings.configure(CHANNEL_LAYERS={"default": layer}, SECRET_KEY="bench", INSTALLED_APPS=[])

import django

django.setup()

from channels.generic.http import AsyncHttpConsumer


class Viewer(AsyncHttpConsumer):
    async def http_request(self, message):  # type: ignore[no-untyped-def]
        await self.channel_layer.group_add("events", self.channel_name)
        await self.send_headers(headers=[(b"content-type", b"text/event-stream")])
        await self.send_body(b": hello\n\n", more_body=True)

    async def event(self, message):  # type: ignore[no-untyped-def]
        await self.send_body(b"data: " + message["text"].encode() + b"\n\n", more_body=True)

    async def disconnect(self):  # type: ignore[no-untyped-def]
        await self.channel_layer.group_discard("events", self.channel_name)


application = Viewer.as_asgi()
