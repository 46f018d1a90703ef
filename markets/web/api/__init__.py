"""The JSON API (API.md): one router a file, a route is parse, call, return."""
