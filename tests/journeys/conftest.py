"""What the journeys may use besides: a browser."""

from tests.support.browser import browser, page

__all__ = ["browser", "page"]
