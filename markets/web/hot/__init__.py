"""Public answers in memory, in front of Django: `memory` keeps them, `layer` gives them."""

from markets.web.hot.layer import Hot, matches, share

__all__ = ["Hot", "matches", "share"]
