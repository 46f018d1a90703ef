"""Answers that are compressed with gzip when the client asks for it."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from functools import lru_cache
from typing import Final

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.middleware.gzip import GZipMiddleware
from django.utils.cache import patch_vary_headers
from django.utils.decorators import async_only_middleware

LEAST_BYTES: Final = 1024  # of an answer: a smaller one fits into one packet as it is
LARGE_BYTES: Final = 64 * 1024  # takes milliseconds: not in the event loop
TEXTS: Final = ("text/", "application/json", "application/problem+json")
_REFUSED: Final = re.compile(rb"\s*q\s*=\s*0(\.0*)?\s*")

GetResponse = Callable[[HttpRequest], Awaitable[HttpResponseBase]]


@lru_cache(maxsize=256)
def accepts_gzip(given: bytes) -> bool:
    """Return whether `Accept-Encoding` names gzip (RFC 9110)."""
    for part in given.lower().split(b","):
        coding, _, weight = part.partition(b";")
        if coding.strip() == b"gzip":
            return not _REFUSED.fullmatch(weight)
    return False


@async_only_middleware
def compressed(get_response: GetResponse) -> GetResponse:
    """Compress texts, padded by Django at random, so that their length betrays nothing (BREACH).

    An answer for the hot tier only says that it may be compressed: the tier does it, once.
    """
    stock = GZipMiddleware(get_response)

    async def middleware(request: HttpRequest) -> HttpResponseBase:
        response = await get_response(request)
        text = response.headers.get("Content-Type", "").startswith(TEXTS)
        if not isinstance(response, HttpResponse) or not text:  # a stream, for example
            return response
        if len(response.content) < LEAST_BYTES:
            return response
        patch_vary_headers(response, ("Accept-Encoding",))
        ticket = getattr(request, "scope", {}).get("hot")
        asked = accepts_gzip(request.headers.get("Accept-Encoding", "").encode())
        if not asked or (ticket is not None and ticket.about is not None):
            return response
        if len(response.content) > LARGE_BYTES:
            return await asyncio.to_thread(stock.process_response, request, response)
        return stock.process_response(request, response)

    return middleware
