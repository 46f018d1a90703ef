"""Public answers in memory, in front of Django: `memory` keeps them, `layer` gives them."""

from markets.web.hot.layer import Hot, about, matches

__all__ = ["Hot", "about", "matches"]
