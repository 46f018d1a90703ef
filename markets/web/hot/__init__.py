"""Public answers from memory, in front of Django: `memory` caches them, `layer` sends them."""

from markets.web.hot.layer import Hot, matches, share

__all__ = ["Hot", "matches", "share"]
