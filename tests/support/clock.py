"""The moments at which things happen in tests."""

from datetime import UTC, datetime, timedelta

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)  # before any real clock that runs this
LATER = NOW + timedelta(days=3000)
