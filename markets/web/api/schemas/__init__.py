"""The schemas of API.md."""
